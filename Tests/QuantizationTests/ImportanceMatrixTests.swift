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
