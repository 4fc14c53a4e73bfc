public import Kernels
import ModelGraph

/// The way from hidden rows `z` to logits: W z, the model's logit scale, its soft cap. Owns its working memory, which
/// grows to the largest number of rows asked for.
public final class Unembedding {
    private let model: Transformer
    private var z: FloatBuffer
    private var activations: Activations
    private var outputs: FloatBuffer

    public init(_ model: Transformer) {
        self.model = model
        let width = model.configuration.hiddenSize
        activations = Activations(capacity: 1, columns: width, pool: model.pool)
        // A few floats: a machine that refuses them cannot go on either.
        guard let z = try? FloatBuffer(count: width), let outputs = try? FloatBuffer(count: 0) else {
            fatalError("no memory for a row of \(width) floats")
        }
        self.z = z
        self.outputs = outputs
    }

    /// Where the caller writes `rows` hidden rows, `hiddenSize` floats each, before it asks for their logits.
    public func input(rows: Int) throws -> FloatBuffer {
        let width = model.configuration.hiddenSize
        if rows > activations.capacity {
            z = try FloatBuffer(count: rows * width)
            activations = Activations(capacity: rows, columns: width, pool: model.pool)
        }
        return z
    }

    /// Logits of the rows written to `input`, of the whole vocabulary or of chosen tokens: the same bits either way.
    ///
    /// - Parameter tokens: below the vocabulary's size.
    public func logits(rows: Int, tokens: [UInt32]? = nil) throws -> LogitRows {
        let c = model.configuration
        let width = tokens?.count ?? c.vocabularySize
        if rows * width > outputs.count { outputs = try FloatBuffer(count: rows * width) }
        if rows > 0, width > 0 {
            activations.load(z, rows: rows)
            if let tokens {
                try model.output.multiply(activations, chosen: tokens, into: outputs)
            } else {
                try model.output.multiply(activations, into: outputs)
            }
            let (scale, cap) = (Float(c.logitScale), c.finalSoftCap.map { Float($0) })
            if scale != 1 || cap != nil {
                let (outputs, kernels) = (outputs, model.rows)
                model.pool.run(rows) { row in
                    if scale != 1 { kernels.scale(outputs, at: row * width, count: width, by: scale) }
                    if let cap { kernels.softCap(outputs, at: row * width, count: width, cap: cap) }
                }
            }
        }
        return LogitRows(buffer: outputs, rows: rows, width: width, kernels: model.rows)
    }
}

/// Rows of logits, in memory that the next call of their maker overwrites.
public struct LogitRows: Sendable {
    public let buffer: FloatBuffer
    public let rows: Int
    /// The vocabulary's size, or the number of tokens that were asked for.
    public let width: Int
    let kernels: RowKernels

    public func withRow<Result, Failure: Error>(
        _ row: Int, _ body: (Span<Float>) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        precondition(row >= 0 && row < rows, "a row outside the logits")
        return try buffer.withSpan(row * width..<(row + 1) * width, body)
    }

    /// Index of the row's first largest logit: a token's id, or its place among those asked for.
    public func largest(_ row: Int) -> Int {
        precondition(row >= 0 && row < rows, "a row outside the logits")
        return kernels.largest(buffer, at: row * width, count: width)
    }

    public var areFinite: Bool {
        (0..<rows).allSatisfy { kernels.allFinite(buffer, at: $0 * width, count: width) }
    }
}
