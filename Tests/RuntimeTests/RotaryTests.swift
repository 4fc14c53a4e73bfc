import ModelGraph
import Runtime
import Testing

/// Frequencies against those of the reference implementation (transformers 5.23) for heads of 16.
@Suite struct RotaryTests {
    typealias Rotary = ModelConfiguration.Rotary

    static func frequencies(_ rotary: Rotary, context: Int = 4096) -> [Float] {
        RotaryFrequencies(rotary, context: context).perPosition
    }

    static func near(_ found: [Float], _ expected: [Float]) -> Bool {
        found.count == expected.count && zip(found, expected).allSatisfy { abs($0 - $1) <= 2e-6 * abs($1) }
    }

    @Test func plainAndLinear() {
        let plain: [Float] = [
            1, 0.31622776, 0.1, 0.031622777, 0.01, 0.0031622776, 0.001, 0.00031622777,
        ]
        #expect(Self.near(Self.frequencies(Rotary(base: 10_000, dimension: 16)), plain))
        let linear = Rotary(base: 10_000, dimension: 16, scaling: .linear(factor: 4))
        #expect(Self.near(Self.frequencies(linear), plain.map { $0 / 4 }))
    }

    @Test func llama3() {
        let rotary = Rotary(
            base: 500_000, dimension: 16,
            scaling: .llama3(factor: 8, lowFactor: 1, highFactor: 4, originalContext: 256))
        let expected: [Float] = [
            1, 0.193922758, 0.0105382307, 0.000911583134, 0.000176776681, 3.42810235e-05, 6.64786967e-06,
            1.28917316e-06,
        ]
        #expect(Self.near(Self.frequencies(rotary), expected))
    }

    @Test func yarn() {
        let rotary = Rotary(
            base: 10_000, dimension: 16,
            scaling: .yarn(factor: 4, originalContext: 1024, betaFast: 32, betaSlow: 1, extrapolation: 1))
        let expected: [Float] = [
            1, 0.316227764, 0.0812500045, 0.0197642371, 0.00437500002, 0.000790569466, 0.000250000012,
            7.90569466e-05,
        ]
        #expect(Self.near(Self.frequencies(rotary), expected))
    }

    @Test("long factors when the sequence may pass the original context, short ones else")
    func longRope() {
        let short = (1...8).map { Double($0) }
        let long = (1...8).map { Double(10 * $0) }
        let rotary = Rotary(
            base: 10_000, dimension: 16, scaling: .longRope(short: short, long: long, originalContext: 4096))
        let plain = Self.frequencies(Rotary(base: 10_000, dimension: 16))
        #expect(Self.frequencies(rotary, context: 4096) == zip(plain, short).map { $0 / Float($1) })
        #expect(Self.frequencies(rotary, context: 4097) == zip(plain, long).map { $0 / Float($1) })
        let factors = Rotary(base: 10_000, dimension: 16, scaling: .factors(short), magnitude: 1.25)
        #expect(Self.frequencies(factors) == Self.frequencies(rotary, context: 1))
        #expect(RotaryFrequencies(factors, context: 1).magnitude == 1.25)
    }
}
