import Runtime
import Testing

/// The planner on machines whose law of costs is known: never much slower than plain decoding, never much slower
/// than the best fixed layout. Time is the model's own, so nothing here depends on the machine that runs the test.
@Suite struct AdaptivePlannerTests {
    struct Machine: Sendable, CustomStringConvertible {
        var description: String
        /// Seconds of a pass by rows, for one row: 1.
        var time: @Sendable (Int) -> Double
    }

    static let machines = [
        Machine(description: "rows are free") { 1 + 0.001 * Double($0) },
        Machine(description: "four rows are free") { max(1, Double($0) * 0.25) },
        Machine(description: "nine rows are free") { max(1, Double($0) * 0.11) },
        Machine(description: "every row costs") { 0.2 + 0.8 * Double($0) },
    ]

    private static func costs(_ machine: Machine, masks: Int) -> StepCosts {
        let counts = [1, 2, 3, 4, 6, 8, 9, 12, 16, 24, 32, 48, 64, 81]
        return StepCosts(
            layers: .init(counts.map { ($0, machine.time($0)) }), gated: .init([(1, 0)]),
            verification: .init([(1, 0)]),
            drafting: .init([(1, 0.02), (8, 0.06)]))
    }

    /// Tokens per second of the machine's time, with drafting counted.
    private static func speed(
        _ machine: Machine, _ strategy: MultiTokenEngine<FakeModel>.Strategy, masks: Int, skill: Double,
        count: Int = 3000, believing measured: Machine? = nil
    ) throws -> Double {
        let model = FakeModel(vocabulary: 40, maskCount: 8, skill: skill, seed: 8)
        model.cost = machine.time
        let engine = MultiTokenEngine(
            model: model, strategy: strategy, masks: masks, chooser: TokenSampler(),
            costs: costs(measured ?? machine, masks: masks))
        engine.clock = { model.seconds }
        try engine.start(prompt: [1, 2, 3])
        var made = 0
        while made < count { made += try engine.step(limit: count - made).count }
        return Double(count) / model.seconds
    }

    @Test(arguments: machines)
    func neverMuchSlowerThanPlain(machine: Machine) throws {
        let plain = try Self.speed(machine, .plain, masks: 0, skill: 0)
        for count in [200, 3000] {
            let adaptive = try Self.speed(machine, .adaptive, masks: 8, skill: 0, count: count)
            #expect(adaptive > 0.97 * plain, "\(count): \(adaptive / plain)")
        }
    }

    /// A measurement spoilt by a busy machine: what steps really take corrects it.
    @Test(arguments: [0.0, 0.3, 0.6])
    func wrongCostsAreNotBelievedForLong(skill: Double) throws {
        let machine = Self.machines[3]
        let plain = try Self.speed(machine, .plain, masks: 0, skill: skill)
        let half = Machine(description: "half the truth") { 0.6 + 0.4 * Double($0) }
        for believed in [half, Self.machines[1]] {
            let adaptive = try Self.speed(machine, .adaptive, masks: 8, skill: skill, believing: believed)
            #expect(adaptive > 0.96 * plain, "\(believed): \(adaptive / plain)")
        }
    }

    @Test(arguments: machines, [0.3, 0.6, 0.8, 0.95])
    func asFastAsTheBestFixedLayout(machine: Machine, skill: Double) throws {
        var best = try Self.speed(machine, .plain, masks: 0, skill: skill)
        var which = "plain"
        for masks in 1...8 {
            for strategy in [MultiTokenEngine<FakeModel>.Strategy.linear, .quadratic] {
                let speed = try Self.speed(machine, strategy, masks: masks, skill: skill)
                if speed > best { (best, which) = (speed, "\(strategy) \(masks)") }
            }
        }
        let adaptive = try Self.speed(machine, .adaptive, masks: 8, skill: skill)
        // The two draw different drafts, which alone is a difference of two in a hundred.
        #expect(adaptive > 0.95 * best, "\(adaptive) against \(best) of \(which)")
    }
}
