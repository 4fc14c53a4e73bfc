import Foundation
public import Kernels
import ModelGraph
public import Runtime
import Synchronization
public import TensorFiles

/// What the scored positions of a text say about one candidate.
public struct DivergenceSample: Sendable {
    public internal(set) var rows: [RowComparison] = []
    /// Position in its window of each row.
    public internal(set) var places: [Int] = []
    /// Index in the text of the token that each row predicts.
    public internal(set) var positions: [Int] = []
    /// The positions that differ most, largest first.
    public internal(set) var worst: [WorstPlace] = []

    public var kl: DivergenceSummary { DivergenceSummary(values: rows.map(\.divergence)) }
    public var referencePerplexity: Estimate { .perplexity(negativeLogLikelihoods: rows.map(\.referenceLoss)) }
    public var candidatePerplexity: Estimate { .perplexity(negativeLogLikelihoods: rows.map(\.candidateLoss)) }
    public var top1Agreement: Estimate { .share(rows.count { $0.sameTop }, of: rows.count) }
    public var top5Overlap: Double {
        Double(rows.reduce(0) { $0 + $1.topFiveOverlap }) / Double(5 * max(1, rows.count))
    }

    public var percentiles: [Double] {
        let sorted = rows.map(\.divergence).sorted()
        return (0...100).map { DivergenceSummary.quantile(sorted, Double($0) / 100) }
    }

    /// Means over runs of positions, `count` of them over a window.
    public func buckets(_ count: Int) -> [PositionBucket] {
        guard let first = places.min(), let last = places.max() else { return [] }
        let width = max(1, (last - first + count) / count)
        var buckets: [PositionBucket] = []
        for start in stride(from: first, through: last, by: width) {
            let inside = places.indices.filter { places[$0] >= start && places[$0] < start + width }
            guard !inside.isEmpty else { continue }
            let divergence = inside.reduce(0.0) { $0 + Double(rows[$1].divergence) }
            buckets.append(
                PositionBucket(
                    from: start, to: min(start + width, last + 1), kl: divergence / Double(inside.count),
                    top1Agreement: Double(inside.count { rows[$0].sameTop }) / Double(inside.count)))
        }
        return buckets
    }
}

/// A position where two models disagree, with what each would have said.
public struct WorstPlace: Sendable {
    public struct Choice: Sendable {
        public var token: Int
        public var probability: Double
    }
    public var position: Int
    public var divergence: Float
    public var reference: [Choice]
    public var candidate: [Choice]

    static func choices(_ logits: Span<Float>) -> [Choice] {
        let norm = RowComparer.logSumExp(logits)
        return RowComparer.top(4, of: logits).map { Choice(token: $0, probability: exp(Double(logits[$0]) - norm)) }
    }
}

/// Runs a reference and candidates over the same text side by side, a few rows at a time: memory does not grow with
/// the text, and nothing is written to disk.
public final class DivergenceMeasurement {
    private let plan: ScoringPlan
    private let reference: TokenSequence
    private let candidates: [TokenSequence]
    private let pool: WorkerPool
    /// Rows of logits held at once for each model.
    private let chunk: Int
    private static let worstCount = 8

    /// - Parameter cache: how all models hold keys and values while they are compared.
    public init(
        plan: ScoringPlan, reference: Transformer, candidates: [Transformer], pool: WorkerPool,
        cache: KeyValueStore.Precision
    ) throws {
        self.plan = plan
        self.pool = pool
        let capacity = plan.context
        self.reference = try TokenSequence(reference, capacity: capacity, precision: cache)
        self.candidates = try candidates.map { try TokenSequence($0, capacity: capacity, precision: cache) }
        // At most 64 MiB of logits in all.
        let bytesPerRow = reference.configuration.vocabularySize * 4 * (candidates.count + 1)
        chunk = min(128, max(4, (64 << 20) / bytesPerRow))
    }

    /// - Parameter progress: tokens of all models.
    public func run(progress: ProgressHandler? = nil) throws -> [DivergenceSample] {
        var samples = [DivergenceSample](repeating: DivergenceSample(), count: candidates.count)
        let total = plan.tokenCount * (candidates.count + 1)
        var done = 0
        for window in plan.windows {
            for sequence in [reference] + candidates { sequence.truncate(to: 0) }
            var start = 0
            while start < window.tokens.count {
                let rows = start..<min(window.tokens.count, start + chunk)
                let scored = rows.clamped(to: window.scored)
                try reference.append(Array(window.tokens[rows]), chunk: chunk)
                let wanted = Array(scored).map { $0 - rows.lowerBound }
                let expected = wanted.isEmpty ? nil : try reference.logits(of: wanted)
                done += rows.count
                progress?(Progress(stage: "comparing", completed: done, total: total, unit: .tokens))
                for (index, candidate) in candidates.enumerated() {
                    try candidate.append(Array(window.tokens[rows]), chunk: chunk)
                    if let expected {
                        let targets = scored.map { window.tokens[$0 + 1] }
                        let found = try candidate.logits(of: wanted)
                        let compared = compare(expected, found, targets)
                        let positions = scored.map { window.start + $0 + 1 }
                        samples[index].rows += compared
                        samples[index].places += Array(scored)
                        samples[index].positions += positions
                        note(compared, positions, expected, found, in: &samples[index])
                    }
                    done += rows.count
                    progress?(Progress(stage: "comparing", completed: done, total: total, unit: .tokens))
                }
                start = rows.upperBound
            }
        }
        return samples
    }

    private func compare(_ expected: LogitRows, _ found: LogitRows, _ targets: [Int]) -> [RowComparison] {
        let results = Mutex([RowComparison?](repeating: nil, count: targets.count))
        let (left, right, width) = (expected.buffer, found.buffer, expected.width)
        pool.run(targets.count) { row in
            let range = row * width..<(row + 1) * width
            let result = left.withSpan(range) { reference in
                right.withSpan(range) { candidate in
                    RowComparer.compare(reference: reference, candidate: candidate, target: targets[row])
                }
            }
            results.withLock { $0[row] = result }
        }
        return results.withLock { $0.compactMap { $0 } }
    }

    private func note(
        _ compared: [RowComparison], _ positions: [Int], _ expected: LogitRows, _ found: LogitRows,
        in sample: inout DivergenceSample
    ) {
        for (row, comparison) in compared.enumerated() {
            if sample.worst.count == Self.worstCount, let last = sample.worst.last,
                comparison.divergence <= last.divergence
            {
                continue
            }
            let place = WorstPlace(
                position: positions[row], divergence: comparison.divergence,
                reference: expected.withRow(row) { WorstPlace.choices($0) },
                candidate: found.withRow(row) { WorstPlace.choices($0) })
            let rank = sample.worst.firstIndex { $0.divergence < place.divergence } ?? sample.worst.count
            sample.worst.insert(place, at: rank)
            if sample.worst.count > Self.worstCount { sample.worst.removeLast() }
        }
    }
}
