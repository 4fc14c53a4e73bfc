import Foundation
import ModelGraph
import TensorFiles
import TestSupport
import Testing

/// Modules of every quantized layout give the values that their own libraries, or the packers in
/// fixtures/checkpoints/make.py, say they hold.
@Suite struct QuantizedCheckpointTests {
    static let exact = [
        "gptq-4-v1", "gptq-4-v2", "gptq-3-v1", "gptq-2-v2", "gptq-8-v1", "awq-gemm", "compressed-4-symmetric",
        "compressed-4-asymmetric", "compressed-3-asymmetric", "compressed-8-symmetric", "compressed-int8",
        "bitsandbytes-nf4", "fp8-blocks",
    ]
    static let mlx = ["mlx-2", "mlx-3", "mlx-4", "mlx-5", "mlx-6", "mlx-8"]

    static func pairs(_ name: String) throws -> [(expected: [Float], found: [Float])] {
        let folder = TestFiles.fixtures.appendingPathComponent("checkpoints/\(name)").path
        // The folder holds a second safetensors file, so the model is opened by its file.
        let graph = try ModelGraph.open(folder + "/model.safetensors")
        let expected = try Checkpoint.open(folder + "/expected.safetensors")
        return try [TensorRole(.query, block: 0), TensorRole(.down, block: 0)].map { role in
            let tensor = try #require(graph.tensors[role])
            let reference = try #require(expected[tensor.name])
            #expect(tensor.shape == reference.shape)
            return (try values(reference), try values(tensor))
        }
    }

    static func values(_ tensor: Tensor) throws -> [Float] {
        var values: [Float] = []
        try tensor.forEachRun(byteBudget: 1000) { _, bytes in
            for offset in stride(from: 0, to: bytes.byteCount, by: 4) {
                values.append(Float(bitPattern: bytes.loadLittleEndian(offset, as: UInt32.self)))
            }
        }
        return values
    }

    @Test(arguments: exact) func expandsToTheBit(name: String) throws {
        for (expected, found) in try Self.pairs(name) { #expect(expected == found) }
    }

    /// MLX fuses the multiplication and the addition, we round in between.
    @Test(arguments: mlx) func expandsToRounding(name: String) throws {
        for (expected, found) in try Self.pairs(name) {
            #expect(expected.count == found.count)
            #expect(zip(expected, found).allSatisfy { abs($0 - $1) <= 1e-6 * max(1, abs($0)) })
            #expect(expected != [Float](repeating: 0, count: expected.count))
        }
    }
}
