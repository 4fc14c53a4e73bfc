import Foundation

/// What one position's two distributions say about each other.
public struct RowComparison: Sendable, Equatable {
    /// KL(reference ‖ candidate), nats; never negative.
    public var divergence: Float
    /// Variance of `divergence` as an estimate: of what the reference's record holds draws of.
    public var variance: Float
    /// -ln of the probability that each model gave to the token that came.
    public var referenceLoss: Float
    public var candidateLoss: Float
    public var sameTop: Bool
    /// How many of the reference's five most likely tokens are among the candidate's five, 0 … 5.
    public var topFiveOverlap: Int
}

/// Compares rows of logits [V] of one vocabulary.
public enum RowComparer {
    /// Natural logarithm of Σ exp(logits), in double precision.
    public static func logSumExp(_ logits: Span<Float>) -> Double {
        var top = -Float.infinity
        for index in logits.indices where logits[index] > top { top = logits[index] }
        guard top.isFinite else { return Double(top) }
        var sum = 0.0
        for index in logits.indices { sum += exp(Double(logits[index] - top)) }
        return Double(top) + log(sum)
    }

    /// Rows that differ by more than this in what is known exactly, nats, are estimated without control variate.
    private static let far = 0.5
    /// No draw counts for more than this ratio of probabilities.
    private static let largestRatio = 64.0

    /// With p the reference and q the candidate, KL = Σ (p ln(p/q) - p + q), every term of which is positive.
    ///
    /// The likeliest tokens and the sum R of all others give their terms exactly. What the others hide in their sum is
    /// R KL(p/R ‖ q/Q) over them, Q = Σ q: the mean over draws from p/R of x - 1 - ln x with x = (q/Q) / (p/R). The part
    /// x - 1 has mean 0 and makes the estimate steady where x is near 1; far from there it does the opposite and is
    /// left out.
    ///
    /// - Parameter target: the id of the token that came, below the row's length.
    package static func compare(_ reference: RecordedRow, candidate: Span<Float>, target: Int) -> RowComparison {
        precondition(target >= 0 && target < candidate.count)
        let norm = logSumExp(candidate)
        func logarithm(_ token: Int) -> Double { Double(candidate[token]) - norm }
        var divergence = 0.0
        var named = 0.0
        for entry in reference.top {
            let (p, q) = (entry.logProbability, logarithm(entry.token))
            named += exp(q)
            divergence += exp(p) * (p - q) - exp(p) + exp(q)
        }
        var variance = 0.0
        let (mine, theirs) = (Double(reference.remainder), max(1e-12, 1 - named))
        if mine > 0 {
            divergence += mine * log(mine / theirs) - mine + theirs
            if !reference.sample.isEmpty {
                let isFar = divergence > far
                let terms = reference.sample.map { entry in
                    let ratio = logarithm(entry.token) - entry.logProbability + log(mine / theirs)
                    return (isFar ? 0 : min(largestRatio, exp(ratio)) - 1) - ratio
                }
                let count = Double(terms.count)
                let mean = terms.reduce(0, +) / count
                divergence += mine * mean
                let spread = terms.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / max(1, count - 1)
                variance = mine * mine * spread / count
            }
        }
        let topReference = reference.top.prefix(5).map(\.token)
        let topCandidate = top(5, of: candidate)
        return RowComparison(
            divergence: Float(max(0, divergence)), variance: Float(variance), referenceLoss: reference.targetLoss,
            candidateLoss: Float(norm - Double(candidate[target])), sameTop: topReference.first == topCandidate.first,
            topFiveOverlap: topReference.filter(topCandidate.contains).count)
    }

    /// Indices of the `count` largest values, largest first; equal values in index order.
    public static func top(_ count: Int, of logits: Span<Float>) -> [Int] {
        var best: [Int] = []
        best.reserveCapacity(count + 1)
        for index in logits.indices {
            if best.count == count, let last = best.last, logits[index] <= logits[last] { continue }
            var (low, high) = (0, best.count)
            while low < high {
                let middle = (low + high) / 2
                if logits[best[middle]] < logits[index] { high = middle } else { low = middle + 1 }
            }
            best.insert(index, at: low)
            if best.count > count { best.removeLast() }
        }
        return best
    }
}
