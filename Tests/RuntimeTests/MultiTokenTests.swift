import Runtime
import Testing

private let flatCosts = StepCosts(
    layers: .init([(1, 1), (64, 1.5)]), gated: .init([(1, 0)]), verification: .init([(1, 0.05), (64, 0.1)]),
    drafting: .init([(1, 0.02), (8, 0.05)]))
private let steepCosts = StepCosts(
    layers: .init([(1, 1), (64, 64)]), gated: .init([(1, 0.1), (8, 0.8)]),
    verification: .init([(1, 0.05), (64, 3.2)]),
    drafting: .init([(1, 0.1), (8, 0.8)]))

private func plainText(_ model: FakeModel, prompt: [Int], count: Int) -> [Int] {
    var text = prompt
    for _ in 0..<count { text.append(model.greedy(after: text)) }
    return Array(text[prompt.count...])
}

private func generate(_ engine: MultiTokenEngine<FakeModel>, prompt: [Int], count: Int) throws -> [Int] {
    try engine.start(prompt: prompt)
    var text: [Int] = []
    while text.count < count { text += try engine.step(limit: count - text.count) }
    return text
}

@Suite struct MultiTokenTests {
    /// Greedy text of every decoder is plain decoding's, whether drafts are always, sometimes or never right.
    @Test(arguments: [0.0, 0.4, 0.9, 1.0])
    func greedyTextIsPlainDecodings(skill: Double) throws {
        for strategy in [MultiTokenEngine<FakeModel>.Strategy.plain, .linear, .quadratic, .adaptive] {
            for masks in 1...8 {
                for lookup in [0, 6] {
                    let model = FakeModel(vocabulary: 17, maskCount: 8, skill: skill, memory: 2, seed: 5)
                    let engine = MultiTokenEngine(
                        model: model, strategy: strategy, masks: masks, lookupLimit: lookup, chooser: TokenSampler(),
                        costs: masks % 2 == 0 ? flatCosts : steepCosts)
                    let text = try generate(engine, prompt: [3, 1, 4], count: 160)
                    #expect(
                        text == plainText(model, prompt: [3, 1, 4], count: 160), "\(strategy) \(masks) \(lookup)")
                    // The last token's row is fed by the step that would follow.
                    #expect(model.kept == [3, 1, 4] + text.dropLast())
                }
            }
        }
    }

    /// The same seed gives the same sampled text, so the distribution is plain sampling's to the last bit.
    @Test func sampledTextIsPlainSamplings() throws {
        let options = SamplingOptions(
            temperature: 0.9, topK: 11, topP: 0.95, repetitionPenalty: 1.1, penaltyWindow: 16, seed: 99)
        func text(_ strategy: MultiTokenEngine<FakeModel>.Strategy, _ skill: Double) throws -> [Int] {
            let model = FakeModel(vocabulary: 17, maskCount: 4, skill: skill, seed: 5)
            let engine = MultiTokenEngine(
                model: model, strategy: strategy, masks: strategy == .plain ? 0 : 4,
                lookupLimit: strategy == .plain ? 0 : 4, chooser: TokenSampler(options), costs: flatCosts)
            return try generate(engine, prompt: [3], count: 400)
        }
        let plain = try text(.plain, 0)
        #expect(try text(.linear, 0.5) == plain)
        #expect(try text(.quadratic, 0.9) == plain)
        #expect(try text(.adaptive, 0.7) == plain)
    }

    /// Perfect drafts: k + 1 tokens a step, but for the first.
    @Test(arguments: 1...8)
    func perfectDraftsGiveEveryToken(masks: Int) throws {
        let model = FakeModel(vocabulary: 31, maskCount: 8, skill: 1, seed: 1)
        let engine = MultiTokenEngine(
            model: model, strategy: .quadratic, masks: masks, chooser: TokenSampler())
        let count = 1 + 20 * (masks + 1)
        _ = try generate(engine, prompt: [1, 2], count: count)
        #expect(model.passes == 21)
        #expect(engine.counts.accepted == 20 * masks)
    }

    /// A step feeds (drafts + 1)(k + 1) rows, quadratic; drafts + 1 + k, linear.
    @Test func rowsOfLayouts() {
        #expect(StepPlan.quadratic(drafts: 8, masks: 8).rowCount == 81)
        #expect(StepPlan.linear(drafts: 3, masks: 4).rowCount == 8)
        let layout = StepLayout(plan: StepPlan(masks: [2, 0, 1]), tokens: [7, 8, 9])
        #expect(
            layout.rows == [
                Row(.token(7), after: nil), Row(.token(8), after: 0), Row(.token(9), after: 1),
                Row(.mask(0), after: 0), Row(.mask(1), after: 3), Row(.mask(0), after: 2),
            ])
        #expect(layout.block(after: 0) == 3..<5)
        #expect(layout.block(after: 1) == 5..<5)
        #expect(layout.block(after: 2) == 5..<6)
    }

    /// No row is fed past the end of the context, and a limit is kept.
    @Test func contextAndLimitAreKept() throws {
        for strategy in [MultiTokenEngine<FakeModel>.Strategy.linear, .quadratic, .adaptive] {
            let model = FakeModel(vocabulary: 9, contextLength: 40, maskCount: 8, skill: 1, seed: 3)
            let engine = MultiTokenEngine(
                model: model, strategy: strategy, masks: 8, lookupLimit: 8, chooser: TokenSampler(), costs: flatCosts)
            try engine.start(prompt: [1, 2, 3])
            var text: [Int] = []
            while text.count < 37 {
                let limit = min(5, 37 - text.count)
                let tokens = try engine.step(limit: limit)
                #expect((1...limit).contains(tokens.count))
                text += tokens
            }
            #expect(text == plainText(model, prompt: [1, 2, 3], count: 37))
            // The adaptive layout may find that the last positions are not worth a row.
            #expect(strategy == .adaptive ? model.largestPosition <= 39 : model.largestPosition == 39)
        }
    }

    /// A second prompt starts from nothing.
    @Test func startForgets() throws {
        let model = FakeModel(vocabulary: 9, maskCount: 4, skill: 0.8, seed: 3)
        let engine = MultiTokenEngine(
            model: model, strategy: .adaptive, masks: 4, lookupLimit: 4, chooser: TokenSampler(), costs: flatCosts)
        for prompt in [[1, 2, 3], [4], [1, 2, 3]] {
            #expect(try generate(engine, prompt: prompt, count: 50) == plainText(model, prompt: prompt, count: 50))
        }
    }
}

@Suite struct PromptLookupTests {
    @Test func longestRunWins() {
        var lookup = PromptLookup(lengths: 1...3)
        lookup.append(contentsOf: [1, 2, 3, 4, 9, 2, 3, 5, 1, 2, 3])
        #expect(lookup.match(limit: 2) == .init(length: 3, continuation: [4, 9]))
        #expect(lookup.match(pending: [5], limit: 9) == .init(length: 3, continuation: [1, 2, 3]))
        #expect(lookup.match(pending: [9], limit: 1) == .init(length: 1, continuation: [2]))
        #expect(lookup.match(pending: [77], limit: 1) == nil)
        #expect(lookup.match(limit: 0) == nil)
        #expect(PromptLookup().match(limit: 3) == nil)
    }

    @Test func aRunNeverMatchesItself() {
        var lookup = PromptLookup(lengths: 2...2)
        lookup.append(contentsOf: [1, 2])
        #expect(lookup.match(limit: 3) == nil)
        lookup.append(contentsOf: [1, 2])
        #expect(lookup.match(limit: 3) == .init(length: 2, continuation: [1, 2]))
    }
}
