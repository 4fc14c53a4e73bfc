import Kernels
import ModelGraph

/// The buffers of a pass, [rows, width] each, kept between passes so that a step allocates nothing.
struct Workspace {
    let capacity: Int
    /// The residual stream, [rows, hidden].
    let hidden: FloatBuffer
    /// Normed rows on the way into a half of a block, and what it gives back, [rows, hidden].
    let normed, added: FloatBuffer
    /// [rows, heads · head size] and [rows, key/value heads · head size].
    let queries, attended, keys, values: FloatBuffer
    /// [rows, feed-forward size]
    let gate, up: FloatBuffer
    /// After the final norm, [rows, hidden]: what the unembedding multiplies.
    let final: FloatBuffer
    /// Cosines and sines of each rotary embedding, [rows, pairs].
    let cosines, sines: [FloatBuffer]
    let fromHidden, fromAttended, fromInner: Activations

    init(_ c: ModelConfiguration, capacity: Int, pool: WorkerPool) throws {
        self.capacity = capacity
        let queryWidth = c.headCount * c.headSize
        let keyWidth = c.keyValueHeadCount * c.headSize
        hidden = try FloatBuffer(count: capacity * c.hiddenSize)
        normed = try FloatBuffer(count: capacity * c.hiddenSize)
        added = try FloatBuffer(count: capacity * c.hiddenSize)
        final = try FloatBuffer(count: capacity * c.hiddenSize)
        queries = try FloatBuffer(count: capacity * queryWidth)
        attended = try FloatBuffer(count: capacity * queryWidth)
        keys = try FloatBuffer(count: capacity * keyWidth)
        values = try FloatBuffer(count: capacity * keyWidth)
        gate = try FloatBuffer(count: capacity * c.feedForwardSize)
        up = try FloatBuffer(count: capacity * c.feedForwardSize)
        cosines = try c.rotaries.map { try FloatBuffer(count: capacity * $0.dimension / 2) }
        sines = try c.rotaries.map { try FloatBuffer(count: capacity * $0.dimension / 2) }
        fromHidden = Activations(capacity: capacity, columns: c.hiddenSize, pool: pool)
        fromAttended = Activations(capacity: capacity, columns: queryWidth, pool: pool)
        fromInner = Activations(capacity: capacity, columns: c.feedForwardSize, pool: pool)
    }

    /// Bytes of the buffers of one row, quantized forms included.
    static func bytesPerRow(_ c: ModelConfiguration) -> Int {
        let widths =
            4 * c.hiddenSize + 2 * c.headCount * c.headSize + 2 * c.keyValueHeadCount * c.headSize
            + 2 * c.feedForwardSize + c.rotaries.reduce(0) { $0 + $1.dimension }
        return 6 * widths
    }
}
