import Foundation
import Runtime
import Testing

@Suite struct TokenSamplerTests {
    static let logits: [Float] = [1, 3, 2, 3, -1, 0.5]

    static func distribution(_ options: SamplingOptions, history: [Int] = []) -> TokenDistribution {
        TokenSampler(options).distribution(logits: logits.span, history: history)
    }

    static func near(_ a: [Double], _ b: [Double]) -> Bool {
        a.count == b.count && zip(a, b).allSatisfy { abs($0 - $1) < 1e-12 }
    }

    static func softmax(_ scores: [Double]) -> [Double] {
        let weights = scores.map { exp($0) }
        return weights.map { $0 / weights.reduce(0, +) }
    }

    @Test("the stream of chance is xoshiro256** seeded by SplitMix64")
    func stream() {
        var stream = RandomStream(seed: 42)
        let expected: [UInt64] = [
            1_546_998_764_402_558_742, 6_990_951_692_964_543_102, 12_544_586_762_248_559_009,
            17_057_574_109_182_124_193,
        ]
        #expect(expected.map { _ in stream.next() } == expected)
        for _ in 0..<1000 { #expect((0..<1).contains(stream.unit())) }
    }

    @Test("greedy takes the lowest id of the largest")
    func greedy() {
        var sampler = TokenSampler()
        #expect(sampler.next(logits: Self.logits.span, history: []) == 1)
        #expect(Self.distribution(.greedy).tokens == [1])
    }

    @Test("temperature alone keeps every token")
    func temperature() {
        let found = Self.distribution(SamplingOptions(temperature: 0.5))
        #expect(found.tokens == Array(0..<6))
        #expect(Self.near(found.probabilities, Self.softmax(Self.logits.map { Double($0) / 0.5 })))
    }

    @Test("top-k, top-p and min-p cut in this order and renormalise")
    func cuts() {
        let top2 = Self.distribution(SamplingOptions(temperature: 1, topK: 2))
        #expect(top2.tokens == [1, 3] && Self.near(top2.probabilities, [0.5, 0.5]))
        // The third best decides: of equals the lower id stays.
        #expect(Self.distribution(SamplingOptions(temperature: 1, topK: 1)).tokens == [1])
        let p = Self.softmax(Self.logits.map { Double($0) })
        #expect(Self.distribution(SamplingOptions(temperature: 1, topP: p[1] + p[3] - 1e-9)).tokens == [1, 3])
        #expect(Self.distribution(SamplingOptions(temperature: 1, topP: p[1] + p[3] + 1e-9)).tokens == [1, 2, 3])
        #expect(Self.distribution(SamplingOptions(temperature: 1, minP: exp(-1) - 1e-9)).tokens == [1, 2, 3])
        #expect(Self.distribution(SamplingOptions(temperature: 1, minP: exp(-1) + 1e-9)).tokens == [1, 3])
        // top-p counts what top-k left: two of three tokens make 0.8 of them.
        #expect(Self.distribution(SamplingOptions(temperature: 1, topK: 3, topP: 0.8)).tokens == [1, 3])
        let all = Self.distribution(SamplingOptions(temperature: 1, topK: 4, topP: 0.99, minP: 0.2))
        #expect(all.tokens == [1, 2, 3])
        #expect(Self.near(all.probabilities, Self.softmax([3, 2, 3])))
    }

    @Test("a long ranking is cut where a full sort would cut it", arguments: [1, 7, 255, 256, 257, 700, 2999, 3000])
    func ranking(count: Int) {
        var stream = RandomStream(seed: 3)
        let logits = (0..<3000).map { _ in Float(Int(stream.unit() * 400)) / 40 }
        let sorted = logits.indices.sorted { logits[$0] != logits[$1] ? logits[$0] > logits[$1] : $0 < $1 }
        let topK = TokenSampler(SamplingOptions(temperature: 1, topK: count))
        #expect(topK.distribution(logits: logits.span, history: []).tokens == sorted[..<count].sorted())
        let total = logits.reduce(0.0) { $0 + exp(Double($1) - 10) }
        let wanted = sorted[..<count].reduce(0.0) { $0 + exp(Double(logits[$1]) - 10) } / total
        let topP = TokenSampler(SamplingOptions(temperature: 1, topP: min(1 - 1e-12, wanted - 1e-12)))
        let kept = topP.distribution(logits: logits.span, history: []).tokens
        #expect(abs(kept.count - count) <= 1 && kept == sorted[..<kept.count].sorted())
    }

    @Test("penalties act on the window, before everything else")
    func penalties() {
        let repeated = Self.distribution(
            SamplingOptions(temperature: 1, repetitionPenalty: 2), history: [1, 4, 1, 99])
        #expect(Self.near(repeated.probabilities, Self.softmax([1, 1.5, 2, 3, -2, 0.5])))
        let counted = Self.distribution(
            SamplingOptions(temperature: 1, frequencyPenalty: 0.5, presencePenalty: 0.25), history: [1, 4, 1])
        #expect(Self.near(counted.probabilities, Self.softmax([1, 1.75, 2, 3, -1.75, 0.5])))
        let windowed = Self.distribution(
            SamplingOptions(presencePenalty: 9, penaltyWindow: 1), history: [3, 1])
        #expect(windowed.tokens == [3])
    }

    @Test("draws follow the distribution, and a seed repeats them")
    func draws() {
        let options = SamplingOptions(temperature: 1, seed: 7)
        var sampler = TokenSampler(options)
        var counts = [Int](repeating: 0, count: 6)
        for _ in 0..<60_000 { counts[sampler.next(logits: Self.logits.span, history: [])] += 1 }
        let p = Self.distribution(options).probabilities
        let chiSquare = zip(counts, p).reduce(0.0) { sum, pair in
            let expected = 60_000 * pair.1
            return sum + (Double(pair.0) - expected) * (Double(pair.0) - expected) / expected
        }
        // Five degrees of freedom: 20.5 is passed once in a thousand; the seed is fixed.
        #expect(chiSquare < 20.5 && chiSquare > 0.01)
        var again = TokenSampler(options)
        var third = TokenSampler(SamplingOptions(temperature: 1, seed: 8))
        var first = TokenSampler(options)
        let texts = [
            (0..<50).map { _ in first.next(logits: Self.logits.span, history: []) },
            (0..<50).map { _ in again.next(logits: Self.logits.span, history: []) },
            (0..<50).map { _ in third.next(logits: Self.logits.span, history: []) },
        ]
        #expect(texts[0] == texts[1] && texts[0] != texts[2])
    }

    @Test("a distribution without a token is renormalised")
    func without() {
        let found = Self.distribution(SamplingOptions(temperature: 1, topK: 3))
        let rest = found.without(3)
        #expect(rest?.tokens == [1, 2])
        #expect(Self.near(rest?.probabilities ?? [], Self.softmax([3, 2])))
        #expect(found.without(0)?.tokens == found.tokens)
        #expect(Self.distribution(.greedy).without(1) == nil)
        #expect(found.probability(of: 2) == found.probabilities[1] && found.probability(of: 5) == 0)
    }

    @Test("options out of range are named")
    func problems() {
        #expect(SamplingOptions(temperature: -1).problem?.contains("temperature") == true)
        #expect(SamplingOptions(temperature: .nan).problem != nil)
        #expect(SamplingOptions(topK: -1).problem?.contains("top-k") == true)
        #expect(SamplingOptions(topP: 0).problem?.contains("top-p") == true)
        #expect(SamplingOptions(minP: 1.5).problem?.contains("min-p") == true)
        #expect(SamplingOptions(repetitionPenalty: 0).problem?.contains("repetition") == true)
        #expect(SamplingOptions(temperature: 0.7, topK: 40, topP: 0.9, minP: 0.05).problem == nil)
    }
}
