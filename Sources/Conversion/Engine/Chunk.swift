/// A run of rows of one tensor: what one thread makes at a time.
struct Chunk: Sendable {
    /// Index into the entries to be written.
    let entry: Int
    let rows: Range<Int>
}

extension ConversionPlan.Entry {
    /// Bytes of memory that making `rows` rows at once takes, result included.
    func workBytes(rows: Int) -> Int {
        switch self.rows {
        case .copied: rows * rowByteCount
        case .made(_, let rowBytes, _): rows * (rowByteCount + rowBytes)
        }
    }

    /// How many rows make a chunk of about `size` bytes of work. Depends on the entry alone, so that chunks are the
    /// same for any number of threads.
    func chunkRows(size: Int) -> Int {
        let rows = max(1, size / max(1, workBytes(rows: 1)))
        return max(rowMultiple, rows / rowMultiple * rowMultiple)
    }
}

/// The chunks of a run of entries, in writing order.
func chunks(of entries: ArraySlice<ConversionPlan.Entry>, size: Int) -> [Chunk] {
    var chunks: [Chunk] = []
    for (index, entry) in zip(entries.indices, entries) {
        guard entry.rowCount > 0 else {
            chunks.append(Chunk(entry: index, rows: 0..<0))
            continue
        }
        let step = entry.chunkRows(size: size)
        for start in stride(from: 0, to: entry.rowCount, by: step) {
            chunks.append(Chunk(entry: index, rows: start..<min(entry.rowCount, start + step)))
        }
    }
    return chunks
}
