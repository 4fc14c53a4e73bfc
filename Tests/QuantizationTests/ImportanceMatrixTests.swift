import Foundation
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
