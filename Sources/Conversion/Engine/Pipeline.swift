import Foundation
import TensorFiles

/// The state that a conversion's threads share. Every thread does whatever is next: writes the chunk whose turn it
/// is if that is made, or else makes the next chunk nobody has begun, or else waits.
///
/// A thread waits only for chunks that other running threads have begun, so any number of threads, one included,
/// gets to the end. All stored variables are guarded by `condition`; `writer` belongs to the thread that has set
/// `isWriting`.
final class Pipeline: @unchecked Sendable {
    private enum Result {
        case bytes([UInt8])
        /// Written straight from the source.
        case source(Tensor)
    }

    private let entries: [ConversionPlan.Entry]
    private let chunks: [Chunk]
    private let window: Int
    private let writer: CheckpointWriter
    private let totalBytes: Int
    private let progress: ProgressHandler?

    private let condition = NSCondition()
    private var nextToMake = 0
    /// Chunks that threads are making now.
    private var making = 0
    private var nextToWrite = 0
    private var results: [Int: Result] = [:]
    private var isWriting = false
    private var writtenBytes: Int
    private var failure: (chunk: Int, error: any Error)?
    /// What `prepare` has made, while chunks of the entry are to come; `nil` while it is being made.
    private var makers: [Int: RowMaker?] = [:]

    init(
        entries: [ConversionPlan.Entry], chunks: [Chunk], window: Int, writer: CheckpointWriter, completedBytes: Int,
        totalBytes: Int, progress: ProgressHandler?
    ) {
        self.entries = entries
        self.chunks = chunks
        self.window = window
        self.writer = writer
        self.writtenBytes = completedBytes
        self.totalBytes = totalBytes
        self.progress = progress
    }

    func throwFailure() throws {
        condition.lock()
        defer { condition.unlock() }
        if let failure { throw failure.error }
    }

    func work() {
        condition.lock()
        defer { condition.unlock() }
        while failure == nil, nextToWrite < chunks.count {
            if !isWriting, let result = results.removeValue(forKey: nextToWrite) {
                isWriting = true
                let index = nextToWrite
                unlocked(chunk: index) { try write(result, chunks[index]) }
                isWriting = false
                nextToWrite = index + 1
                // Every chunk before is done, so nobody asks for this entry's maker again.
                if chunks[index].rows.upperBound == entries[chunks[index].entry].rowCount {
                    makers[chunks[index].entry] = nil
                }
                condition.broadcast()
            } else if nextToMake < chunks.count, nextToMake < nextToWrite + window, mayBegin(nextToMake) {
                let index = nextToMake
                nextToMake += 1
                making += 1
                make(index)
                making -= 1
                condition.broadcast()
            } else {
                condition.wait()
            }
        }
        condition.broadcast()
    }

    /// Whoever waits here waits for a thread that is making a chunk, and so gets on.
    private func mayBegin(_ chunk: Int) -> Bool { making == 0 || !entries[chunks[chunk].entry].followsPrevious }

    /// Runs `body` without the lock and takes note of what it throws; the earliest chunk's error is the one told.
    private func unlocked(chunk: Int, _ body: () throws -> Void) {
        condition.unlock()
        var thrown: (any Error)?
        do { try body() } catch { thrown = error }
        condition.lock()
        guard let thrown, failure.map({ chunk < $0.chunk }) ?? true else { return }
        failure = (chunk, thrown)
    }

    private func make(_ index: Int) {
        let chunk = chunks[index]
        let entry = entries[chunk.entry]
        guard !chunk.rows.isEmpty else {
            results[index] = .bytes([])
            return
        }
        switch entry.rows {
        case .copied(let tensor): results[index] = .source(tensor)
        case .made(_, _, let prepare):
            guard let maker = maker(of: chunk, index, prepare) else { return }
            var bytes: [UInt8] = []
            unlocked(chunk: index) {
                bytes = try maker(chunk.rows)
                guard bytes.count == chunk.rows.count * entry.rowByteCount else {
                    preconditionFailure("\(entry.declaration.name): rows of another size than declared")
                }
            }
            results[index] = .bytes(bytes)
        }
    }

    /// The entry's row maker, prepared by the first thread that asks; `nil` when that failed.
    private func maker(of chunk: Chunk, _ index: Int, _ prepare: @Sendable () throws -> RowMaker) -> RowMaker? {
        if makers[chunk.entry] == nil {
            makers[chunk.entry] = .some(nil)
            var made: RowMaker?
            unlocked(chunk: index) { made = try prepare() }
            makers[chunk.entry] = .some(made)
            condition.broadcast()
        }
        while failure == nil {
            if let maker = makers[chunk.entry] ?? nil { return maker }
            condition.wait()
        }
        return nil
    }

    private func write(_ result: Result, _ chunk: Chunk) throws {
        switch result {
        case .bytes(let bytes): try unsafe writer.append(bytes.span.bytes)
        case .source(let tensor):
            try tensor.withBytes(rows: chunk.rows) { try writer.append($0) }
            tensor.source.release(rows: chunk.rows, rowByteCount: tensor.rowByteCount)
        }
        writtenBytes += chunk.rows.count * entries[chunk.entry].rowByteCount
        progress?(TensorFiles.Progress(stage: "writing", completed: writtenBytes, total: totalBytes, unit: .bytes))
    }
}
