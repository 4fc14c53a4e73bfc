public import Kernels
public import ModelGraph

/// Rows inside a buffer: row i begins at `offset + i * stride`.
///
/// In a pass without masks, rows are the caller's, in their order; otherwise ordinary rows come first.
public struct BufferRows: Sendable {
    public let buffer: FloatBuffer
    public let offset: Int
    public let count: Int
    public let width: Int
    public let stride: Int

    public func withRow<Result, Failure: Error>(
        _ row: Int, _ body: (Span<Float>) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        precondition(row >= 0 && row < count, "a row outside the rows")
        let start = offset + row * stride
        return try buffer.withSpan(start..<start + width, body)
    }
}

/// Watches a pass go by: for calibration and for comparing models layer by layer. What is shown lives only during the
/// call. Both methods have defaults that do nothing.
public protocol ForwardObserver: AnyObject {
    /// The residual stream after block `block`; before the first for `nil`.
    func hidden(after block: Int?, _ rows: BufferRows)
    /// What a linear map is about to multiply; matrices that share it are named together. `block` is `nil` for the
    /// unembedding.
    func input(of parts: [TensorRole.Part], block: Int?, _ rows: BufferRows)
}

extension ForwardObserver {
    public func hidden(after block: Int?, _ rows: BufferRows) {}
    public func input(of parts: [TensorRole.Part], block: Int?, _ rows: BufferRows) {}
}
