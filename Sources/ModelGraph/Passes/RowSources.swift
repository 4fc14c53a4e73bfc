import TensorFiles

/// A run of a tensor's rows (or of a vector's elements) as a tensor of its own.
struct RowSlice: TensorSource {
    let base: Tensor
    let firstRow: Int

    func withBytes<Result>(
        rows: Range<Int>, rowByteCount: Int, _ body: (RawSpan) throws -> Result
    ) throws -> Result {
        try base.withBytes(rows: rows.lowerBound + firstRow..<rows.upperBound + firstRow, body)
    }

    func release(rows: Range<Int>, rowByteCount: Int) {
        base.source.release(
            rows: rows.lowerBound + firstRow..<rows.upperBound + firstRow, rowByteCount: base.rowByteCount)
    }
}

/// A run of a vector's bytes.
struct VectorSlice: TensorSource {
    let base: Tensor
    let bytes: Range<Int>

    func withBytes<Result>(
        rows: Range<Int>, rowByteCount: Int, _ body: (RawSpan) throws -> Result
    ) throws -> Result {
        try base.withBytes(rows: 0..<1) { span in
            try body(rows.isEmpty ? span.extracting(0..<0) : span.extracting(bytes))
        }
    }
}

/// Rows of several tensors, one after the other.
struct RowConcatenation: TensorSource {
    let parts: [Tensor]

    func withBytes<Result>(
        rows: Range<Int>, rowByteCount: Int, _ body: (RawSpan) throws -> Result
    ) throws -> Result {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(rows.count * rowByteCount)
        try forEach(rows) { part, range in
            try part.withBytes(rows: range) { span in bytes.append(contentsOf: span.copied()) }
        }
        return try unsafe body(bytes.span.bytes)
    }

    func release(rows: Range<Int>, rowByteCount: Int) {
        forEach(rows) { part, range in part.source.release(rows: range, rowByteCount: part.rowByteCount) }
    }

    private func forEach(_ rows: Range<Int>, _ body: (Tensor, Range<Int>) throws -> Void) rethrows {
        var first = 0
        for part in parts {
            let range = rows.clamped(to: first..<first + part.rowCount)
            if !range.isEmpty { try body(part, range.lowerBound - first..<range.upperBound - first) }
            first += part.rowCount
        }
    }
}

/// The rows of each head in another order: row `r` is row `order.source(of: r)` of the base.
///
/// A vector's elements take the place of rows.
struct PermutedRows: TensorSource {
    let base: Tensor
    let order: HeadRowOrder

    func withBytes<Result>(
        rows: Range<Int>, rowByteCount: Int, _ body: (RawSpan) throws -> Result
    ) throws -> Result {
        let bytes =
            base.shape.count == 1
            ? try base.withBytes(rows: rows) { span in
                gather(0..<(rows.isEmpty ? 0 : base.rowLength), from: span, first: 0, size: base.type.block.bytes)
            }
            : try permuted(rows)
        return try unsafe body(bytes.span.bytes)
    }

    func release(rows: Range<Int>, rowByteCount: Int) {
        guard base.shape.count > 1, !rows.isEmpty else { return }
        base.source.release(rows: order.heads(covering: rows), rowByteCount: base.rowByteCount)
    }

    private func permuted(_ rows: Range<Int>) throws -> [UInt8] {
        guard !rows.isEmpty else { return [] }
        // Whole heads are one run of the base, so that each is read once.
        let span = order.heads(covering: rows)
        return try base.withBytes(rows: span) { bytes in
            gather(rows, from: bytes, first: span.lowerBound, size: base.rowByteCount)
        }
    }

    private func gather(_ rows: Range<Int>, from span: RawSpan, first: Int, size: Int) -> [UInt8] {
        var target: [UInt8] = []
        target.reserveCapacity(rows.count * size)
        for row in rows {
            let start = (order.source(of: row) - first) * size
            target.append(contentsOf: span.extracting(start..<start + size).copied())
        }
        return target
    }
}

/// How rows move between the Hub's order of a head, (i, i + size/2) turning together, and llama.cpp's, (2i, 2i + 1).
struct HeadRowOrder: Sendable {
    let headSize: Int
    let target: ModelConfiguration.RotaryOrder

    /// Where a row of the result comes from.
    func source(of row: Int) -> Int {
        let start = row / headSize * headSize
        let offset = row - start
        let half = headSize / 2
        return switch target {
        case .interleaved: start + offset % 2 * half + offset / 2
        case .halves: start + offset % half * 2 + offset / half
        }
    }

    func heads(covering rows: Range<Int>) -> Range<Int> {
        rows.lowerBound / headSize * headSize..<(rows.upperBound + headSize - 1) / headSize * headSize
    }
}
