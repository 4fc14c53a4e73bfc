import TensorFiles

/// Some columns of a tensor: each row is bytes `offset ..< offset + rowByteCount` of the whole tensor's row.
struct ColumnSource: TensorSource {
    let whole: Tensor
    let offset: Int

    func withBytes<Result>(
        rows: Range<Int>, rowByteCount: Int, _ body: (RawSpan) throws -> Result
    ) throws -> Result {
        let bytes = try whole.withBytes(rows: rows) { span in
            var bytes: [UInt8] = []
            bytes.reserveCapacity(rows.count * rowByteCount)
            span.withUInt8 { all in
                for row in 0..<rows.count {
                    let start = row * whole.rowByteCount + offset
                    for index in start..<start + rowByteCount { bytes.append(all[index]) }
                }
            }
            return bytes
        }
        return try unsafe body(bytes.span.bytes)
    }
}

/// Rows of a tensor in another order, or some of them: row `i` is the whole tensor's row `order(i)`.
struct RowOrderSource: TensorSource {
    let whole: Tensor
    let order: @Sendable (Int) -> Int

    func withBytes<Result>(
        rows: Range<Int>, rowByteCount: Int, _ body: (RawSpan) throws -> Result
    ) throws -> Result {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(rows.count * rowByteCount)
        for row in rows {
            let source = order(row)
            try whole.withBytes(rows: source..<source + 1) { bytes.append(contentsOf: $0.copied()) }
        }
        return try unsafe body(bytes.span.bytes)
    }
}

/// Two tensors with the same number of rows side by side: a row is the left one's row, then the right one's.
struct SideBySideSource: TensorSource {
    let left: Tensor
    let right: Tensor

    func withBytes<Result>(
        rows: Range<Int>, rowByteCount: Int, _ body: (RawSpan) throws -> Result
    ) throws -> Result {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(rows.count * rowByteCount)
        for row in rows {
            try left.withBytes(rows: row..<row + 1) { bytes.append(contentsOf: $0.copied()) }
            try right.withBytes(rows: row..<row + 1) { bytes.append(contentsOf: $0.copied()) }
        }
        return try unsafe body(bytes.span.bytes)
    }
}

extension Tensor {
    /// Columns `range` of a matrix, or `nil` when the border would cut a block.
    func columns(_ range: Range<Int>, name: String) -> Tensor? {
        guard shape.count == 2, range.upperBound <= rowLength, let offset = type.byteCount(elements: range.lowerBound)
        else { return nil }
        return Tensor(
            name: name, shape: [rowCount, range.count], type: type, source: ColumnSource(whole: self, offset: offset))
    }

    /// Rows `range` of a matrix.
    func rows(_ range: Range<Int>, name: String) -> Tensor? {
        guard shape.count == 2, range.upperBound <= rowCount else { return nil }
        let first = range.lowerBound
        return Tensor(
            name: name, shape: [range.count, rowLength], type: type,
            source: RowOrderSource(whole: self) { first + $0 })
    }

    /// The same rows in another order.
    func reorderedRows(_ order: @escaping @Sendable (Int) -> Int) -> Tensor? {
        Tensor(name: name, shape: shape, type: type, source: RowOrderSource(whole: self, order: order))
    }
}
