import Foundation
import Kernels
import Quantization
import TensorFiles
import TestSupport
import Testing

/// formats/importance.md.
@Suite struct ImportanceMatrixTests {
    private static func inFolder(_ body: (URL) throws -> Void) throws {
        let folder = try TestFiles.temporaryFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        try body(folder)
    }

    @Test func whatIsWrittenIsReadBack() throws {
        try Self.inFolder { folder in
            var matrix = ImportanceMatrix(datasets: ["a.txt", "b.txt"], chunkCount: 7, chunkSize: 256)
            matrix.entries["blk.0.attn_q.weight"] = .init(sums: [1, 2.5, 0, 4], counts: [8])
            matrix.entries["blk.0.ffn_up_exps.weight"] = .init(sums: [1, 2, 3, 4, 0, 0], counts: [2, 4, 0])
            let path = folder.appendingPathComponent("importance.gguf").path
            try matrix.write(to: path)
            let read = try ImportanceMatrix(path: path)
            #expect(read.entries == matrix.entries && read.datasets == matrix.datasets)
            #expect(read.chunkCount == 7 && read.chunkSize == 256)
            #expect(read.weights(of: "blk.0.attn_q.weight") == [0.125, 0.3125, 0, 0.5])
            #expect(read.weights(of: "blk.0.ffn_up_exps.weight", expert: 1) == [0.75, 1])
            #expect(read.weights(of: "blk.0.ffn_up_exps.weight", expert: 2).isEmpty)
            #expect(read.weights(of: "blk.0.attn_k.weight").isEmpty)
        }
    }

    /// Directions serve all matrices with the input, and a tied table as its head.
    @Test func directionsAreReadBack() throws {
        try Self.inFolder { folder in
            let columns = 32
            let inputs = (0..<7 * columns).map { Float($0 * $0 % 23 - 11) }
            var sums = [Float](repeating: 0, count: columns)
            for (at, value) in inputs.enumerated() { sums[at % columns] += value * value }
            var sketch = MomentSketch(columns: columns)
            sketch.add(inputs, pool: try WorkerPool(threads: 1))
            var matrix = ImportanceMatrix()
            let names = ["blk.0.attn_q.weight", "blk.0.attn_k.weight", "output.weight", "blk.0.ffn_up.weight"]
            for name in names { matrix.entries[name] = .init(sums: sums, counts: [7]) }
            matrix.setFactor(of: sketch, tokens: 7, names: Array(names[..<2]), first: names[0])
            matrix.setFactor(of: sketch, tokens: 7, names: [names[2]], first: names[2])
            let path = folder.appendingPathComponent("importance.gguf").path
            try matrix.write(to: path)
            let read = try ImportanceMatrix(path: path)
            let values = (0..<4 * columns).map { Float($0 * 37 % 101 - 50) / 50 }
            func bytes(_ matrix: ImportanceMatrix, _ name: String) throws -> [UInt8] {
                let feedback = try #require(try matrix.feedback(of: name, columns: columns))
                return try BlockCodec.encode(.q4_0, .search, values, rowLength: columns, feedback: feedback)
            }
            let expected = try bytes(matrix, names[0])
            let plain = try BlockCodec.encode(
                .q4_0, .search, values, rowLength: columns, importance: matrix.weights(of: names[0]))
            #expect(expected != plain)
            for name in [names[0], names[1], names[2], "token_embd.weight"] {
                #expect(read.hasFactor(of: name, columns: columns))
                #expect(try bytes(read, name) == expected, "\(name)")
            }
            #expect(try read.feedback(of: names[3], columns: columns) == nil)
            #expect(try read.feedback(of: names[0], columns: 64) == nil)
            // Other programs see what they know.
            let file = try GGUFFile(path: path)
            #expect(file.tensors.filter { $0.name.hasSuffix(".in_factors") }.map(\.shape) == [[32, 32], [32, 32]])
            #expect(file.tensors.filter { $0.name.hasSuffix(".in_sum2") }.count == 4)
        }
    }

    /// A file as llama-imatrix would write it, with one tensor more.
    private static func file(
        in folder: URL, _ ending: String, _ shape: [Int], _ type: ElementType, _ bytes: [UInt8],
        owners: [String] = []
    ) throws -> String {
        let path = folder.appendingPathComponent("\(UUID().uuidString).gguf").path
        let name = "blk.0.attn_q.weight"
        func tensor(_ name: String, _ shape: [Int], _ type: ElementType, _ bytes: [UInt8]) throws -> Tensor {
            try #require(Tensor(name: name, shape: shape, type: type, source: MemorySource(bytes)))
        }
        let (one, nine): ([UInt8], [UInt8]) = ([0, 0, 0x80, 0x3F], [0, 0, 0x10, 0x41])
        let tensors = [
            try tensor(name + ".in_sum2", [1, 32], .f32, Array(repeatElement(nine, count: 32).joined())),
            try tensor(name + ".counts", [1, 1], .f32, one), try tensor(name + ending, shape, type, bytes),
        ]
        var metadata = GGUFMetadata()
        metadata["general.type"] = .string("imatrix")
        if !owners.isEmpty { metadata["foretoken.factors.of"] = .array(GGUFArray(owners)) }
        let plan = try OutputPlan.gguf(
            tensors.map(TensorDeclaration.init), metadata: metadata,
            name: URL(fileURLWithPath: path).lastPathComponent,
            digests: false)
        let writer = try CheckpointWriter(plan, folder: folder.path, options: .init())
        for index in plan.writingOrder { try writer.write(tensors[index]) }
        try writer.finish()
        return path
    }

    /// IM-07, IM-08 and IM-10.
    @Test func damagedDirectionsAreRefused() throws {
        try Self.inFolder { folder in
            let name = "blk.0.attn_q.weight"
            func file(_ shape: [Int], _ type: ElementType, fill: UInt8) throws -> String {
                let count = shape.reduce(1, *) * (type == .f32 ? 4 : 2)
                return try Self.file(in: folder, ".in_factors", shape, type, [UInt8](repeating: fill, count: count))
            }
            for (shape, type) in [([33, 32], ElementType.bf16), ([4, 16], .bf16), ([32], .bf16), ([4, 32], .i16)] {
                let path = try file(shape, type, fill: 0)
                let error = #expect(throws: QuantizationError.self) { try ImportanceMatrix(path: path) }
                #expect(error?.description.contains("in_factors") == true, "\(error?.description ?? "no error")")
            }
            let sound = try ImportanceMatrix(path: file([4, 32], .f32, fill: 0))
            #expect(try sound.feedback(of: name, columns: 32) != nil)
            let damaged = try ImportanceMatrix(path: file([4, 32], .bf16, fill: 0xFF))
            let error = #expect(throws: QuantizationError.self) { try damaged.feedback(of: name, columns: 32) }
            #expect(error?.description.contains("no number") == true)
            // IM-10
            let lonely = try Self.file(
                in: folder, ".in_factors", [1, 32], .bf16, [UInt8](repeating: 0, count: 64), owners: [name])
            let refusal = #expect(throws: QuantizationError.self) { try ImportanceMatrix(path: lonely) }
            #expect(refusal?.description.contains("foretoken.factors.names") == true)
        }
    }

    /// The mean of llama-imatrix's inputs is a direction; IM-09.
    @Test func sumsOfInputsAreADirection() throws {
        try Self.inFolder { folder in
            let sums = (0..<32).map { Float($0 % 5) - 2 }
            func bytes(_ values: [Float]) -> [UInt8] {
                values.flatMap { value in (0..<4).map { UInt8(truncatingIfNeeded: value.bitPattern >> (8 * $0)) } }
            }
            let matrix = try ImportanceMatrix(path: Self.file(in: folder, ".in_sum", [1, 32], .f32, bytes(sums)))
            let feedback = try #require(try matrix.feedback(of: "blk.0.attn_q.weight", columns: 32))
            // One token: D is 9 less the square of the mean, F the mean.
            #expect(feedback.weights == sums.map { 9 - $0 * $0 })
            let error = (0..<32).map { Float($0 % 3) }
            let told = feedback.error(of: [Float](repeating: 0, count: 32), against: error)
            let along = zip(sums, error).reduce(0) { $0 + Double($1.0 * $1.1) }
            let rest = zip(sums, error).reduce(0) { $0 + Double((9 - $1.0 * $1.0) * $1.1 * $1.1) }
            #expect(abs(told - rest - along * along) < 1e-6 * told)
            for (shape, values) in [([1, 16], Array(sums.prefix(16))), ([1, 32], sums.map { $0 / 0 })] {
                let path = try Self.file(in: folder, ".in_sum", shape, .f32, bytes(values))
                let error = #expect(throws: QuantizationError.self) { try ImportanceMatrix(path: path) }
                #expect(error?.description.contains("no sum for each") == true)
            }
        }
    }

    @Test(.enabled(if: TestFiles.hasShared, "shared oracles are absent"))
    func llamaCppsFilesAreRead() throws {
        let matrix = try ImportanceMatrix(path: TestFiles.shared("oracles/ggml/importance.gguf").path)
        #expect(matrix.entries.count == 4)
        #expect(matrix["blk.2.ffn_down.weight"]?.columns == 768)
        try matrix.check(
            against: GGUFFile(path: TestFiles.shared("oracles/ggml/source-f32.gguf").path).tensors.map {
                QuantizationSubject(name: $0.name, shape: $0.shape, sourceType: $0.type)
            })
    }

    @Test func normsTellOfTheColumnsBehindThem() {
        func subject(_ name: String, _ shape: [Int]) -> QuantizationSubject {
            .init(name: name, shape: shape, sourceType: .f32)
        }
        let subjects = [
            subject("token_embd.weight", [8, 2]), subject("blk.0.attn_q.weight", [2, 2]),
            subject("blk.0.attn_output.weight", [2, 2]), subject("blk.0.attn_kv_b.weight", [2, 2]),
            subject("blk.0.ffn_gate_exps.weight", [3, 4, 2]), subject("blk.0.ffn_down.weight", [2, 4]),
            subject("blk.1.attn_v.weight", [2, 2]), subject("blk.1.ffn_up.weight", [4, 3]),
        ]
        let gains: [String: [Float]] = [
            "blk.0.attn_norm.weight": [2, -3], "blk.0.ffn_norm.weight": [1, 0.5],
            "blk.1.attn_norm.weight": [.infinity, 1], "blk.1.ffn_norm.weight": [1, 1],
            "output_norm.weight": [4, 1],
        ]
        let matrix = ImportanceMatrix.estimated(from: subjects) { gains[$0] }
        #expect(matrix.isEstimated)
        #expect(matrix.weights(of: "blk.0.attn_q.weight") == [4, 9])
        for expert in 0..<3 {
            #expect(matrix.weights(of: "blk.0.ffn_gate_exps.weight", expert: expert) == [1, 0.25])
        }
        #expect(matrix.weights(of: "token_embd.weight") == [16, 1])
        // What reads no norm, one that is no number, or one of another width.
        #expect(matrix.entries.count == 3)
    }

    /// IM-01 … IM-04.
    @Test func damagedMatricesAreRefused() throws {
        try Self.inFolder { folder in
            func expect(_ words: String, _ entry: ImportanceMatrix.Entry) throws {
                let path = folder.appendingPathComponent("\(UUID().uuidString).gguf").path
                try ImportanceMatrix(entries: ["blk.0.attn_q.weight": entry]).write(to: path)
                let error = #expect(throws: QuantizationError.self) { try ImportanceMatrix(path: path) }
                #expect(error?.description.contains(words) == true, "\(error?.description ?? "no error")")
            }
            try expect("negative or no number", .init(sums: [1, -1], counts: [1]))
            try expect("negative or no number", .init(sums: [1, .nan], counts: [1]))
            try expect("negative or no number", .init(sums: [1, 1], counts: [.infinity]))
            let empty = folder.appendingPathComponent("empty.gguf").path
            try ImportanceMatrix().write(to: empty)
            #expect(throws: QuantizationError.badImportance(file: empty, "it holds no sums")) {
                try ImportanceMatrix(path: empty)
            }
            let model = TestFiles.fixtures.appendingPathComponent("gguf/stories260K-q8_0.gguf").path
            #expect(throws: QuantizationError.self) { try ImportanceMatrix(path: model) }
        }
    }
}
