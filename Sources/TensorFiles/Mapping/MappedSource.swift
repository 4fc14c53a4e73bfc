/// A tensor's bytes as a range of a mapped file.
public struct MappedSource: TensorSource {
    public let file: MappedFile
    /// Where the tensor's bytes are in the file.
    public let range: Range<Int>

    public init(file: MappedFile, range: Range<Int>) {
        precondition(range.lowerBound >= 0 && range.upperBound <= file.byteCount, "range outside the file")
        self.file = file
        self.range = range
    }

    public func withBytes<Result>(
        rows: Range<Int>, rowByteCount: Int, _ body: (RawSpan) throws -> Result
    ) throws -> Result {
        try file.withBytes(bytes(of: rows, rowByteCount), body)
    }

    public func prefetch(rows: Range<Int>, rowByteCount: Int) {
        file.populate(bytes(of: rows, rowByteCount))
    }

    public func release(rows: Range<Int>, rowByteCount: Int) {
        file.release(bytes(of: rows, rowByteCount))
    }

    private func bytes(of rows: Range<Int>, _ rowByteCount: Int) -> Range<Int> {
        range.lowerBound + rows.lowerBound * rowByteCount..<range.lowerBound + rows.upperBound * rowByteCount
    }
}
