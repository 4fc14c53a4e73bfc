import Foundation
import Runtime
import Testing

/// Speculative sampling gives the distribution of plain sampling: chi-square tests over 200,000 draws.
@Suite struct SpeculativeSamplingTests {
    /// Value that a chi-square variable exceeds with probability 1e-4, by Wilson and Hilferty.
    private func limit(degrees: Int) -> Double {
        let n = Double(degrees)
        let root = 1 - 2 / (9 * n) + 3.719 * (2 / (9 * n)).squareRoot()
        return n * root * root * root
    }

    @Test(arguments: [MultiTokenEngine<FakeModel>.Strategy.linear, .quadratic, .adaptive])
    func pairsFollowTheModelsDistribution(strategy: MultiTokenEngine<FakeModel>.Strategy) throws {
        let vocabulary = 12
        let draws = 200_000
        // The text is a Markov chain: what comes next depends on the last token alone.
        let model = FakeModel(vocabulary: vocabulary, maskCount: 3, skill: 0.6, memory: 1, seed: 21)
        let options = SamplingOptions(temperature: 0.8, topP: 0.97, seed: 4)
        let sampler = TokenSampler(options)
        let engine = MultiTokenEngine(
            model: model, strategy: strategy, masks: 3, lookupLimit: 3, chooser: sampler,
            costs: StepCosts(
                layers: .init([(1, 1), (64, 1.5)]), gated: .init([(1, 0)]), verification: .init([(1, 0)]),
                drafting: .init([(1, 0)])))
        try engine.start(prompt: [0])
        var last = 0
        var pairs = [[Int]](repeating: [Int](repeating: 0, count: vocabulary), count: vocabulary)
        var count = 0
        while count < draws {
            for token in try engine.step(limit: draws - count) {
                pairs[last][token] += 1
                last = token
                count += 1
            }
        }
        #expect(count == draws)
        // Drafts must have been both right and wrong often, or the test would say nothing.
        #expect(engine.counts.accepted > draws / 10)
        #expect(engine.counts.speculated - engine.counts.accepted > draws / 20)

        var statistic = 0.0
        var degrees = 0
        for (previous, row) in pairs.enumerated() {
            let expected = sampler.distribution(logits: model.logits(after: [previous]).span, history: [])
            let visits = row.reduce(0, +)
            guard visits > 500 else { continue }
            for (token, seen) in row.enumerated() {
                let mean = expected.probability(of: token) * Double(visits)
                guard mean > 0 else {
                    #expect(seen == 0)
                    continue
                }
                statistic += (Double(seen) - mean) * (Double(seen) - mean) / mean
                degrees += 1
            }
            degrees -= 1
        }
        #expect(degrees > 60)
        #expect(statistic < limit(degrees: degrees))
        // Too good a fit would be as suspicious.
        #expect(statistic > 2 * Double(degrees) - limit(degrees: degrees))

        // The stationary distribution: tokens alone, against plain sampling's frequencies.
        let plain = MultiTokenEngine(
            model: FakeModel(vocabulary: vocabulary, maskCount: 0, skill: 0, memory: 1, seed: 1), strategy: .plain,
            masks: 0, chooser: TokenSampler(SamplingOptions(temperature: 0.8, topP: 0.97, seed: 77)))
        try plain.start(prompt: [0])
        var singles = [Int](repeating: 0, count: vocabulary)
        for _ in 0..<draws { singles[try plain.step(limit: 1)[0]] += 1 }
        var distance = 0.0
        for token in 0..<vocabulary {
            let mine = pairs.reduce(0) { $0 + $1[token] }
            let sum = Double(mine + singles[token])
            if sum > 0 { distance += Double(mine - singles[token]) * Double(mine - singles[token]) / sum }
        }
        // Neighbouring draws are correlated, which widens the statistic; a generous multiple still finds a bias.
        #expect(distance < 3 * limit(degrees: vocabulary - 1))
    }
}
