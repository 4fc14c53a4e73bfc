import Kernels
import ModelGraph

/// The sampler head at work: from the token before and a mask's hidden row to the hidden row of a draft,
/// `h = norm(silu(T e + H z + b))`, then `norm(silu(S h + b'))`, with the residual `h` where the graft has it.
///
/// The part that depends on z alone is computed for all masks of a block at once; only the rest is a chain.
final class SamplerHead {
    private let model: Transformer
    private let weights: LoadedGraft.Sampler
    private let width: Int
    private let kernels: RowKernels
    /// z of each mask and H z; then a row each of e, T e + H z, S h.
    private var z: FloatBuffer
    private var fromHidden: FloatBuffer
    private var block: Activations
    private let embedding: FloatBuffer
    private let first: FloatBuffer
    private let second: FloatBuffer
    private let single: Activations

    init(_ graft: LoadedGraft, model: Transformer) throws {
        self.model = model
        weights = graft.sampler
        width = graft.hiddenSize
        kernels = RowKernels(model.pool.instructionSet)
        z = try FloatBuffer(count: width)
        fromHidden = try FloatBuffer(count: width)
        block = Activations(capacity: 1, columns: width, pool: model.pool)
        embedding = try FloatBuffer(count: width)
        first = try FloatBuffer(count: width)
        second = try FloatBuffer(count: width)
        single = Activations(capacity: 1, columns: width, pool: model.pool)
    }

    /// Where the caller writes z of `rows` masks before `begin(rows:)`.
    func input(rows: Int) throws -> FloatBuffer {
        if rows > block.capacity {
            z = try FloatBuffer(count: rows * width)
            fromHidden = try FloatBuffer(count: rows * width)
            block = Activations(capacity: rows, columns: width, pool: model.pool)
        }
        return z
    }

    /// Computes what depends on the masks alone.
    func begin(rows: Int) throws {
        block.load(z, rows: rows)
        try weights.hidden.multiply(block, into: fromHidden)
    }

    /// Writes the hidden row that the unembedding takes for the draft of mask `row` after `token`.
    func draft(row: Int, after token: Int, into target: FloatBuffer, at offset: Int) throws {
        try model.embed(token, into: embedding, at: 0)
        single.load(embedding, rows: 1)
        try weights.token.multiply(single, into: first)
        kernels.add(fromHidden, at: row * width, to: first, at: 0, count: width)
        apply(weights.firstTail, to: first)
        single.load(first, rows: 1)
        try weights.second.multiply(single, into: second)
        apply(weights.secondTail, to: second)
        if weights.residual { kernels.add(first, at: 0, to: second, at: 0, count: width) }
        target.copy(0..<width, of: second, to: offset)
    }

    private func apply(_ tail: LoadedGraft.Sampler.Tail, to row: FloatBuffer) {
        if let bias = tail.bias { kernels.add(bias, at: 0, to: row, at: 0, count: width) }
        kernels.silu(row, at: 0, count: width)
        switch weights.norm {
        case .layerNorm:
            kernels.layerNorm(
                row, at: 0, count: width, weight: tail.normWeight, bias: tail.normBias, epsilon: weights.epsilon,
                into: row, at: 0)
        case .rmsNorm:
            kernels.rmsNorm(
                row, at: 0, count: width, weight: tail.normWeight, epsilon: weights.epsilon, into: row, at: 0)
        }
    }
}
