import Foundation
import Kernels
import Quantization
import TensorFiles

/// An importance matrix and second moments for fixtures/stories260K, uneven and positive definite, measured on nothing.
struct SyntheticCalibration {
    let importance: String
    let hessians: String

    init(in folder: URL) throws {
        importance = folder.appendingPathComponent("importance.gguf").path
        hessians = HessianStore.path(beside: importance)
        var matrix = ImportanceMatrix(datasets: ["synthetic"], chunkCount: 1)
        var moments: [Tensor] = []
        for block in 0..<5 {
            for (name, columns) in [
                ("attn_q", 64), ("attn_k", 64), ("attn_v", 64), ("attn_output", 64), ("ffn_gate", 64),
                ("ffn_up", 64), ("ffn_down", 172),
            ] {
                let name = "blk.\(block).\(name).weight"
                let inputs = Self.inputs(columns)
                matrix.entries[name] = Self.entry(inputs, columns)
                // Some matrices are known by their columns alone, and some share their inputs.
                if name.hasSuffix("attn_q.weight") || name.contains("ffn_") {
                    var sketch = MomentSketch(columns: columns)
                    sketch.add(inputs, pool: try WorkerPool(threads: 1))
                    let names = name.hasSuffix("attn_q.weight") ? [name, "blk.\(block).attn_k.weight"] : [name]
                    matrix.setFactor(of: sketch, tokens: Self.tokens, names: names, first: name)
                }
                if columns == 64 { moments.append(try Self.moments(name, columns)) }
            }
        }
        try matrix.write(to: importance)
        let plan = try OutputPlan.safetensors(
            moments.map(TensorDeclaration.init), metadata: [], name: "importance.hessians.safetensors",
            digests: false)
        let writer = try CheckpointWriter(plan, folder: folder.path, options: .init())
        for index in plan.writingOrder { try writer.write(moments[index]) }
        try writer.finish()
    }

    private static let tokens = 6

    private static func inputs(_ columns: Int) -> [Float] {
        (0..<tokens * columns).map { Float(($0 * $0 + 3 * $0) % 37 - 18) * ($0 % columns % 3 == 0 ? 1 : 0.25) }
    }

    static func entry(_ columns: Int) -> ImportanceMatrix.Entry { entry(inputs(columns), columns) }

    private static func entry(_ inputs: [Float], _ columns: Int) -> ImportanceMatrix.Entry {
        var sums = [Float](repeating: 0, count: columns)
        for (at, value) in inputs.enumerated() { sums[at % columns] += value * value }
        return .init(sums: sums, counts: [Float(tokens)])
    }

    /// Decaying with the distance from the diagonal, so that its eigenvalues are positive.
    private static func moments(_ name: String, _ columns: Int) throws -> Tensor {
        var bytes: [UInt8] = []
        for row in 0..<columns {
            for column in 0..<columns {
                let scale = Float((1 + row % 7) * (1 + column % 7)).squareRoot()
                bytes.appendLittleEndian((scale * pow(0.6, Float(abs(row - column)))).bitPattern)
            }
        }
        guard
            let tensor = Tensor(
                name: name, shape: [columns, columns], type: .f32, source: MemorySource(bytes))
        else { throw CocoaError(.fileWriteUnknown) }
        return tensor
    }
}
