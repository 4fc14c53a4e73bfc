/// A tensor as a promise: what it is, and a way to stream its rows. Nothing is read until asked for.
///
/// `shape` lists the outermost dimension first, as the Hub does; the last dimension is contiguous in memory.
/// A *row* is one run of that last dimension, so a tensor of shape [a, b, c] has a·b rows of c elements; a scalar
/// and a vector have one row. Where elements are smaller than a byte and a last dimension would end inside one, the
/// whole tensor is a single row.
public struct Tensor: Sendable {
    public var name: String
    public let shape: [Int]
    public let type: ElementType
    public let source: any TensorSource

    /// Elements in a row, rows, and bytes in a row. Readers check the products before they make a tensor.
    public let rowLength: Int
    public let rowCount: Int
    public let rowByteCount: Int

    /// Returns `nil` when the shape has a negative entry, its product overflows, or rows are not whole blocks.
    public init?(name: String, shape: [Int], type: ElementType, source: any TensorSource) {
        guard shape.allSatisfy({ $0 >= 0 }) else { return nil }
        var length = shape.last ?? 1
        var rows = 1
        for dimension in shape.dropLast() {
            let (product, overflow) = rows.multipliedReportingOverflow(by: dimension)
            guard !overflow else { return nil }
            rows = product
        }
        if type.isSubByte, length % type.block.elements != 0 {
            let (product, overflow) = rows.multipliedReportingOverflow(by: length)
            guard !overflow else { return nil }
            length = product
            rows = 1
        }
        if shape.contains(0), length % type.block.elements == 0 {
            // No bytes, whatever the other dimensions are.
            (rows, length) = (0, 0)
        }
        guard let rowBytes = type.byteCount(elements: length),
            !rows.multipliedReportingOverflow(by: rowBytes).overflow,
            !rows.multipliedReportingOverflow(by: length).overflow
        else { return nil }
        self.name = name
        self.shape = shape
        self.type = type
        self.source = source
        rowLength = length
        rowCount = rows
        rowByteCount = rowBytes
    }

    public var elementCount: Int { rowCount * rowLength }
    public var byteCount: Int { rowCount * rowByteCount }

    /// Calls `body` with the bytes of `rows`, which live only during the call.
    public func withBytes<Result>(
        rows: Range<Int>, _ body: (RawSpan) throws -> Result
    ) throws -> Result {
        precondition(rows.lowerBound >= 0 && rows.upperBound <= rowCount, "rows outside the tensor")
        return try source.withBytes(rows: rows, rowByteCount: rowByteCount, body)
    }

    /// Streams all rows in order, in runs of at most `byteBudget` bytes (and at least one row), and lets go of the
    /// memory of rows that are done.
    public func forEachRun(
        byteBudget: Int = 1 << 20, _ body: (Range<Int>, RawSpan) throws -> Void
    ) throws {
        let step = max(1, byteBudget / max(1, rowByteCount))
        var start = 0
        while start < rowCount {
            let run = start..<min(rowCount, start + step)
            source.prefetch(rows: run, rowByteCount: rowByteCount)
            try withBytes(rows: run) { try body(run, $0) }
            source.release(rows: run, rowByteCount: rowByteCount)
            start = run.upperBound
        }
    }
}

/// Where a tensor's bytes come from: a mapped file, memory, or another tensor seen through a pass.
///
/// Must be callable from several threads at once.
public protocol TensorSource: Sendable {
    /// Calls `body` with the bytes of `rows`; a row is `rowByteCount` bytes.
    func withBytes<Result>(
        rows: Range<Int>, rowByteCount: Int, _ body: (RawSpan) throws -> Result
    ) throws -> Result

    /// Says that all of `rows` will be read next.
    func prefetch(rows: Range<Int>, rowByteCount: Int)

    /// Says that `rows` will not be needed soon, so that their memory can be given back; they stay readable.
    func release(rows: Range<Int>, rowByteCount: Int)
}

extension TensorSource {
    public func prefetch(rows: Range<Int>, rowByteCount: Int) {}
    public func release(rows: Range<Int>, rowByteCount: Int) {}
}

/// A tensor's bytes held in memory.
public struct MemorySource: TensorSource {
    public let bytes: [UInt8]

    public init(_ bytes: [UInt8]) { self.bytes = bytes }

    public func withBytes<Result>(
        rows: Range<Int>, rowByteCount: Int, _ body: (RawSpan) throws -> Result
    ) throws -> Result {
        let range = rows.lowerBound * rowByteCount..<rows.upperBound * rowByteCount
        return try unsafe body(bytes.span.bytes.extracting(range))
    }
}
