import CKernels

/// A fixed number of floats, aligned to 64 bytes, zero at first; the memory that kernels read and write.
///
/// A reference type that threads may share: a job's items write disjoint ranges, and nobody reads what another is
/// writing. That is the caller's duty; that no access leaves the buffer is checked here.
@safe
public final class FloatBuffer: @unchecked Sendable {
    public let count: Int
    private let base: UnsafeMutablePointer<Float>

    /// Throws `KernelError.outOfMemory` when the system refuses.
    public init(count: Int) throws(KernelError) {
        let (bytes, overflow) = count.multipliedReportingOverflow(by: MemoryLayout<Float>.stride)
        guard count >= 0, !overflow, let memory = unsafe ft_allocate(bytes) else {
            throw .outOfMemory(bytes: overflow ? Int.max : bytes)
        }
        self.count = count
        unsafe base = memory.bindMemory(to: Float.self, capacity: count)
    }

    public convenience init(_ values: [Float]) throws(KernelError) {
        try self.init(count: values.count)
        write(values, at: 0)
    }

    deinit { unsafe ft_release(base, count * MemoryLayout<Float>.stride) }

    public subscript(index: Int) -> Float {
        get {
            precondition(index >= 0 && index < count, "index outside the buffer")
            return unsafe base[index]
        }
        set {
            precondition(index >= 0 && index < count, "index outside the buffer")
            unsafe base[index] = newValue
        }
    }

    /// The address of `range` for a kernel, after the check that the range is inside.
    package func address(_ range: Range<Int>) -> UnsafeMutablePointer<Float> {
        precondition(range.lowerBound >= 0 && range.upperBound <= count, "range outside the buffer")
        return unsafe base + range.lowerBound
    }

    /// Calls `body` with the floats of `range`, which live only during the call.
    public func withSpan<Result, Failure: Error>(
        _ range: Range<Int>, _ body: (Span<Float>) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let span = unsafe Span(_unsafeStart: address(range), count: range.count)
        return try body(span)
    }

    /// Calls `body` with the floats of `range` to be changed.
    public func withMutableSpan<Result, Failure: Error>(
        _ range: Range<Int>, _ body: (inout MutableSpan<Float>) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        var span = unsafe MutableSpan(_unsafeStart: address(range), count: range.count)
        return try body(&span)
    }

    public func write(_ values: [Float], at offset: Int) {
        let target = unsafe address(offset..<offset + values.count)
        unsafe values.withUnsafeBufferPointer { source in
            guard let start = source.baseAddress else { return }
            unsafe target.update(from: start, count: source.count)
        }
    }

    public func array(_ range: Range<Int>) -> [Float] {
        unsafe Array(UnsafeBufferPointer(start: address(range), count: range.count))
    }

    /// Copies floats of another buffer, or of this one if the ranges do not overlap.
    public func copy(_ range: Range<Int>, of other: FloatBuffer, to offset: Int) {
        unsafe address(offset..<offset + range.count).update(from: other.address(range), count: range.count)
    }

    public func fill(_ range: Range<Int>, with value: Float) {
        unsafe address(range).update(repeating: value, count: range.count)
    }
}
