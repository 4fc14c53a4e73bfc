import CKernels

/// What a transformer does to a row between its matrix products, under one instruction set.
///
/// Rows are runs of a buffer, named by their first element. Results depend on the row's own values alone.
@safe
public struct RowKernels: Sendable {
    private let table: ft_vector_kernels

    public init(_ set: InstructionSet) { unsafe table = ft_vector_kernels_for(set.identifier).pointee }

    /// target = x · weight / sqrt(mean(x²) + epsilon). `target` and `x` may be the same run.
    public func rmsNorm(
        _ x: FloatBuffer, at start: Int, count: Int, weight: FloatBuffer?, epsilon: Float, into target: FloatBuffer,
        at targetStart: Int
    ) {
        weight.map { precondition($0.count == count) }
        let source = unsafe x.address(start..<start + count)
        unsafe table.rms_norm(
            target.address(targetStart..<targetStart + count), source, weight?.address(0..<count), count, epsilon)
    }

    /// RMS norm of each of `heads` runs of `size` elements by one weight.
    public func rmsNormHeads(
        _ x: FloatBuffer, at start: Int, heads: Int, size: Int, weight: FloatBuffer, epsilon: Float
    ) {
        precondition(weight.count == size)
        let first = unsafe x.address(start..<start + heads * size)
        for head in 0..<heads {
            let run = unsafe first + head * size
            unsafe table.rms_norm(run, run, weight.address(0..<size), size, epsilon)
        }
    }

    /// target = (x - mean) / sqrt(variance + epsilon) · weight + bias.
    public func layerNorm(
        _ x: FloatBuffer, at start: Int, count: Int, weight: FloatBuffer, bias: FloatBuffer?, epsilon: Float,
        into target: FloatBuffer, at targetStart: Int
    ) {
        precondition(weight.count == count && bias?.count ?? count == count)
        let source = unsafe x.address(start..<start + count)
        unsafe table.layer_norm(
            target.address(targetStart..<targetStart + count), source, weight.address(0..<count),
            bias?.address(0..<count), count, epsilon)
    }

    /// Turns the first `2 · pairs` elements of each head: element i with i + pairs, or 2i with 2i + 1.
    public func rotate(
        _ x: FloatBuffer, at start: Int, heads: Int, size: Int, cosine: FloatBuffer, sine: FloatBuffer,
        at angle: Int, pairs: Int, interleaved: Bool
    ) {
        precondition(2 * pairs <= size)
        unsafe table.rotate(
            x.address(start..<start + heads * size), heads, size, cosine.address(angle..<angle + pairs),
            sine.address(angle..<angle + pairs),
            pairs, interleaved)
    }

    public func silu(_ x: FloatBuffer, at start: Int, count: Int) {
        unsafe table.silu(x.address(start..<start + count), count)
    }

    /// gate = silu(gate) · up
    public func siluMultiply(_ gate: FloatBuffer, at start: Int, by up: FloatBuffer, at upStart: Int, count: Int) {
        unsafe table.silu_multiply(gate.address(start..<start + count), up.address(upStart..<upStart + count), count)
    }

    /// gate = gelu(gate) · up, by GELU's tanh approximation.
    public func geluMultiply(_ gate: FloatBuffer, at start: Int, by up: FloatBuffer, at upStart: Int, count: Int) {
        unsafe table.gelu_multiply(gate.address(start..<start + count), up.address(upStart..<upStart + count), count)
    }

    /// x = x + scale · y
    public func add(
        _ y: FloatBuffer, at yStart: Int, scale: Float = 1, to x: FloatBuffer, at start: Int, count: Int
    ) {
        unsafe table.add_scaled(x.address(start..<start + count), y.address(yStart..<yStart + count), scale, count)
    }

    public func scale(_ x: FloatBuffer, at start: Int, count: Int, by factor: Float) {
        unsafe table.scale(x.address(start..<start + count), factor, count)
    }

    /// x = cap · tanh(x / cap)
    public func softCap(_ x: FloatBuffer, at start: Int, count: Int, cap: Float) {
        unsafe table.soft_cap(x.address(start..<start + count), cap, count)
    }

    /// sums = sums + x², element by element.
    public func addSquares(
        _ x: FloatBuffer, at start: Int, to sums: FloatBuffer, at sumStart: Int, count: Int
    ) {
        unsafe table.add_squares(sums.address(sumStart..<sumStart + count), x.address(start..<start + count), count)
    }

    /// Offset of the first largest element.
    public func largest(_ x: FloatBuffer, at start: Int, count: Int) -> Int {
        precondition(count > 0)
        return unsafe table.largest(x.address(start..<start + count), count)
    }

    public func allFinite(_ x: FloatBuffer, at start: Int, count: Int) -> Bool {
        unsafe table.all_finite(x.address(start..<start + count), count)
    }
}
