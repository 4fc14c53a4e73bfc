import Foundation

/// What one position's two logit rows say about each other.
public struct RowComparison: Sendable, Equatable {
    /// KL(reference ‖ candidate), nats; never negative.
    public var divergence: Float
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

    /// - Parameter target: the id of the token that came, below both rows' length.
    public static func compare(
        reference: Span<Float>, candidate: Span<Float>, target: Int
    ) -> RowComparison {
        precondition(reference.count == candidate.count && target >= 0 && target < reference.count)
        let referenceNorm = logSumExp(reference)
        let candidateNorm = logSumExp(candidate)
        var divergence = 0.0
        for index in reference.indices {
            let referenceLog = Double(reference[index]) - referenceNorm
            guard referenceLog > -80 else { continue }
            divergence += exp(referenceLog) * (referenceLog - (Double(candidate[index]) - candidateNorm))
        }
        let topReference = top(5, of: reference)
        let topCandidate = top(5, of: candidate)
        return RowComparison(
            divergence: Float(max(0, divergence)),
            referenceLoss: Float(referenceNorm - Double(reference[target])),
            candidateLoss: Float(candidateNorm - Double(candidate[target])),
            sameTop: topReference.first == topCandidate.first,
            topFiveOverlap: topReference.filter(topCandidate.contains).count)
    }

    /// Indices of the `count` largest values, largest first; equal values in index order.
    public static func top(_ count: Int, of logits: Span<Float>) -> [Int] {
        var best: [Int] = []
        best.reserveCapacity(count + 1)
        for index in logits.indices {
            if best.count == count, let last = best.last, logits[index] <= logits[last] { continue }
            var place = best.count
            while place > 0, logits[best[place - 1]] < logits[index] { place -= 1 }
            best.insert(index, at: place)
            if best.count > count { best.removeLast() }
        }
        return best
    }
}
