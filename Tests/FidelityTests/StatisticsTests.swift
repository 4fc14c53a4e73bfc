import Fidelity
import Foundation
import Testing

@Suite struct StatisticsTests {
    private static func compare(_ reference: [Float], _ candidate: [Float], target: Int) -> RowComparison {
        let shape = RecordShape(vocabulary: reference.count)
        let row = RecordedRow(reference.span, target: target, number: 0, shape: shape)
        return RowComparer.compare(row, candidate: candidate.span, target: target)
    }

    @Test func divergenceOfKnownDistributions() {
        // p = (1/2, 1/4, 1/4), q = (1/4, 1/2, 1/4): KL = 1/2 ln 2 - 1/4 ln 2.
        let reference: [Float] = [log(0.5), log(0.25), log(0.25)].map { $0 + 3 }
        let candidate: [Float] = [log(0.25), log(0.5), log(0.25)].map { $0 - 7 }
        let result = Self.compare(reference, candidate, target: 1)
        #expect(abs(result.divergence - 0.25 * log(2)) < 1e-4)
        #expect(result.variance == 0)
        #expect(abs(result.referenceLoss - log(4)) < 1e-5)
        #expect(abs(result.candidateLoss - log(2)) < 1e-5)
        #expect(!result.sameTop)
        #expect(result.topFiveOverlap == 3)
    }

    @Test func divergenceOfEqualRowsIsZero() {
        let row = (0..<500).map { Float($0 % 13) * 0.7 }
        let result = Self.compare(row, row, target: 3)
        #expect(result.divergence < 1e-7)
        #expect(result.sameTop)
        #expect(result.topFiveOverlap == 5)
    }

    @Test func topBreaksTiesByIndex() {
        let row: [Float] = [1, 5, 5, 2, 5]
        #expect(RowComparer.top(2, of: row.span) == [1, 2])
        #expect(RowComparer.top(4, of: row.span) == [1, 2, 4, 3])
    }

    @Test func quantilesOfARamp() {
        let summary = DivergenceSummary(values: (0...1000).map { Float($0) })
        #expect(summary.median == 500)
        #expect(summary.p99 == 990)
        #expect(summary.p999 == 999)
        #expect(summary.max == 1000)
        #expect(summary.mean == 500)
    }

    @Test func perplexityOfAUniformModelIsItsVocabulary() {
        var loss = RunningMean()
        for _ in 0..<100 { loss.add(log(512)) }
        let estimate = Estimate.perplexity(loss)
        #expect(abs(estimate.value - 512) < 1e-2)
        #expect(estimate.standardError < 1e-6)
    }

    @Test func runningMeanIsThatOfTheValues() {
        var mean = RunningMean()
        for value in [1.0, 2, 3, 4] { mean.add(value) }
        #expect(mean.mean == 2.5)
        // Variance 5/3 over four values.
        #expect(abs(mean.standardError - (5.0 / 3 / 4).squareRoot()) < 1e-12)
    }
}
