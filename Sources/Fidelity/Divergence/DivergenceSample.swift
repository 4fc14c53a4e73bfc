import Foundation

/// What the scored positions of a text say about one candidate.
struct DivergenceSample: Sendable {
    /// Sums over the rows at one place of the window.
    private struct Place {
        var rows = 0
        var divergence = 0.0
        var sameTop = 0
    }

    private var divergences: [Float] = []
    /// Sum of the rows' variances as estimates.
    private var variance = 0.0
    private var referenceLoss = RunningMean()
    private var candidateLoss = RunningMean()
    private var sameTop = 0
    private var topFive = 0
    private var places: [Place]
    /// The positions that differ most, largest first.
    private(set) var worst: [WorstPlace] = []
    private static let worstCount = 8

    /// - Parameter context: tokens of a window.
    init(context: Int) { places = Array(repeating: Place(), count: context) }

    /// - Parameter place: in its window.
    mutating func add(_ row: RowComparison, at place: Int) {
        divergences.append(row.divergence)
        variance += Double(row.variance)
        referenceLoss.add(Double(row.referenceLoss))
        candidateLoss.add(Double(row.candidateLoss))
        sameTop += row.sameTop ? 1 : 0
        topFive += row.topFiveOverlap
        places[place].rows += 1
        places[place].divergence += Double(row.divergence)
        places[place].sameTop += row.sameTop ? 1 : 0
    }

    /// Keeps a row when it is among the worst.
    ///
    /// - Parameter position: in the text, of the token that the row predicts.
    mutating func note(
        _ row: RowComparison, at position: Int, _ choices: () -> (RecordedRow, [WorstPlace.Choice])
    ) {
        if worst.count == Self.worstCount, let last = worst.last, row.divergence <= last.divergence { return }
        let (reference, candidate) = choices()
        let place = WorstPlace(
            position: position, divergence: row.divergence,
            reference: reference.top.prefix(4).map { .init(token: $0.token, probability: exp($0.logProbability)) },
            candidate: candidate)
        worst.insert(place, at: worst.firstIndex { $0.divergence < place.divergence } ?? worst.count)
        if worst.count > Self.worstCount { worst.removeLast() }
    }

    var kl: DivergenceSummary {
        var summary = DivergenceSummary(values: divergences)
        summary.recordError = variance.squareRoot() / Double(max(1, divergences.count))
        return summary
    }
    var referencePerplexity: Estimate { .perplexity(referenceLoss) }
    var candidatePerplexity: Estimate { .perplexity(candidateLoss) }
    var top1Agreement: Estimate { .share(sameTop, of: divergences.count) }
    var top5Overlap: Double { Double(topFive) / Double(5 * max(1, divergences.count)) }

    var percentiles: [Double] {
        let sorted = divergences.sorted()
        return (0...100).map { DivergenceSummary.quantile(sorted, Double($0) / 100) }
    }

    /// Means over runs of positions, `count` of them over a window.
    func buckets(_ count: Int) -> [PositionBucket] {
        guard let first = places.firstIndex(where: { $0.rows > 0 }),
            let last = places.lastIndex(where: { $0.rows > 0 })
        else { return [] }
        let width = max(1, (last - first + count) / count)
        return stride(from: first, through: last, by: width).compactMap { start in
            let inside = places[start..<min(start + width, last + 1)]
            let rows = inside.reduce(0) { $0 + $1.rows }
            guard rows > 0 else { return nil }
            return PositionBucket(
                from: start, to: inside.endIndex, kl: inside.reduce(0) { $0 + $1.divergence } / Double(rows),
                top1Agreement: Double(inside.reduce(0) { $0 + $1.sameTop }) / Double(rows))
        }
    }
}

/// A position where two models disagree, with what each would have said.
struct WorstPlace: Sendable {
    struct Choice: Sendable {
        var token: Int
        var probability: Double
    }
    var position: Int
    var divergence: Float
    var reference: [Choice]
    var candidate: [Choice]

    static func choices(_ logits: Span<Float>) -> [Choice] {
        let norm = RowComparer.logSumExp(logits)
        return RowComparer.top(4, of: logits).map { Choice(token: $0, probability: exp(Double(logits[$0]) - norm)) }
    }
}
