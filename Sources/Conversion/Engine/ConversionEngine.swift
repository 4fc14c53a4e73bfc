import Dispatch
import Foundation
public import TensorFiles

/// Carries out a `ConversionPlan` within a memory budget: threads make chunks of rows ahead of the writer, bytes go
/// out in order, each once.
public struct ConversionEngine: Sendable {
    public struct Options: Sendable {
        public var threads: Int
        /// Bytes of work in memory at a time; one chunk for each thread is always allowed.
        public var memoryBudget: Int
        public var overwrites: Bool
        public var resumes: Bool
        /// The level at which the finished files are compressed with zstd, to `NAME.zst`; `nil`: they are not.
        public var compression: Int?

        public init(
            threads: Int, memoryBudget: Int = 96 << 20, overwrites: Bool = false, resumes: Bool = false
        ) {
            self.threads = max(1, threads)
            self.memoryBudget = memoryBudget
            self.overwrites = overwrites
            self.resumes = resumes
        }
    }

    public let options: Options

    public init(_ options: Options) { self.options = options }

    /// Bytes of work that a chunk aims at.
    var chunkSize: Int { (options.memoryBudget / (4 * options.threads)).clamped(to: 64 << 10...8 << 20) }

    /// How many chunks may be in memory: being made, or waiting to be written.
    func window(_ entries: some Sequence<ConversionPlan.Entry>) -> Int {
        let largest = entries.map { $0.workBytes(rows: min($0.rowCount, $0.chunkRows(size: chunkSize))) }.max() ?? 1
        return (options.memoryBudget / max(1, largest)).clamped(to: options.threads...max(4 * options.threads, 8))
    }

    /// An upper bound on the bytes of work in memory at a time.
    public func peakWorkBytes(_ plan: ConversionPlan) -> Int {
        var largest = 0
        var kept = 0
        for entry in plan.entries {
            largest = max(largest, entry.workBytes(rows: min(entry.rowCount, entry.chunkRows(size: chunkSize))))
            if case .made(let bytes, _, _) = entry.rows { kept = max(kept, bytes) }
        }
        return largest * window(plan.entries) + 2 * kept
    }

    /// Writes the plan's files into `folder`; they appear under their names when all is done. Returns the digests of
    /// the tensors, in writing order.
    @discardableResult
    public func run(
        _ plan: ConversionPlan, folder: String, progress: ProgressHandler? = nil
    ) throws -> [TensorDigest] {
        let writer = try CheckpointWriter(
            plan.output, folder: folder,
            options: .init(
                overwrites: options.overwrites, resumes: options.resumes, identity: plan.identity,
                compression: options.compression,
                threads: options.threads > 1 ? 2 : 1))
        let entries = plan.writingOrder
        let left = entries[writer.completedTensors...]
        let pipeline = Pipeline(
            entries: entries, chunks: chunks(of: left, size: chunkSize), window: window(left), writer: writer,
            completedBytes: entries[..<writer.completedTensors].reduce(0) { $0 + $1.declaration.byteCount },
            totalBytes: entries.reduce(0) { $0 + $1.declaration.byteCount }, progress: progress)
        DispatchQueue.concurrentPerform(iterations: options.threads) { _ in pipeline.work() }
        try pipeline.throwFailure()
        let digests = writer.digests
        try writer.finish()
        return digests
    }
}

extension Comparable {
    func clamped(to range: ClosedRange<Self>) -> Self { min(max(self, range.lowerBound), range.upperBound) }
}
