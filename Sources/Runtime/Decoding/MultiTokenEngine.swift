import Foundation

/// Decodes several tokens a pass: drafts from a graft's masks, or from the text itself, are fed behind the last
/// verified token, and what the model says at each row decides how many of them were right.
///
/// Every token given is the one that the chooser takes from the base model's logits at its place. Greedy, that is
/// plain decoding token for token. Sampled, a token x is drawn from the model's distribution p, and a draft t counts
/// as accepted when x = t: it is, with probability p(t), and otherwise x follows p without t, renormalised, which is
/// speculative sampling for a proposal that is certain. One number is taken from the stream of chance for each token,
/// in order, so that a seed gives the text that plain decoding gives with it.
///
/// Source: Samragh et al., arXiv 2507.11851, section on speculative decoding; Leviathan et al., arXiv 2211.17192.
package final class MultiTokenEngine<Model: DecodingModel> {
    package enum Strategy: Hashable {
        case plain, linear, quadratic, adaptive
    }

    let model: Model
    let strategy: Strategy
    /// Masks of a block, at most the graft's.
    let masks: Int
    /// Longest draft from the text itself; 0: none.
    let lookupLimit: Int
    package private(set) var planner: AdaptivePlanner?
    private var chooser: TokenSampler
    private var history: [Int] = []
    private var lookup = PromptLookup()
    /// The token that came out last; its row is fed by the next step.
    private var verified = 0
    /// Proposals for what comes after `verified`.
    private var drafts: [Draft] = []
    package private(set) var counts = DraftCounts()
    package private(set) var plannerSeconds = 0.0
    package var onTrace: ((DecodeTrace) -> Void)?
    private var stepNumber = 0
    private(set) var lastPlan = StepPlan.plain
    /// Seconds since some beginning.
    package var clock: () -> Double = {
        let start = ContinuousClock.now
        return { start.duration(to: .now).seconds }
    }()

    package init(
        model: Model, strategy: Strategy, masks: Int, lookupLimit: Int = 0, chooser: TokenSampler,
        costs: StepCosts? = nil, tracker: AcceptanceTracker? = nil
    ) {
        precondition(masks <= model.maskCount, "more masks than the graft has")
        self.model = model
        self.strategy = strategy
        self.masks = masks
        self.lookupLimit = lookupLimit
        self.chooser = chooser
        if strategy == .adaptive, let costs {
            planner = AdaptivePlanner(maskCount: masks, costs: costs, tracker: tracker)
        }
    }

    /// Takes in a prompt; its last token is fed by the first step.
    package func start(prompt: [Int]) throws {
        model.reset()
        try model.append(Array(prompt.dropLast()))
        history = prompt
        lookup = PromptLookup()
        if lookupLimit > 0 { lookup.append(contentsOf: prompt) }
        verified = prompt[prompt.count - 1]
        drafts = lookupLimit > 0 ? lookedUp(after: []) : []
        chooser = TokenSampler(chooser.options)
        stepNumber = 0
    }

    /// One pass: at least one token, at most `limit`.
    package func step(limit: Int) throws -> [Int] {
        let started = clock()
        let plan = nextPlan(limit: limit)
        let planned = clock()
        lastPlan = plan
        let (tokens, next) = plan.rowCount == 1 ? try plainPass() : try pass(plan)
        let accepted = tokens.count - 1
        let proposed = drafts
        record(tokens: tokens, plan: plan)
        drafts = next
        verified = tokens[accepted]
        stepNumber += 1

        let finished = clock()
        if let onTrace {
            onTrace(
                DecodeTrace(
                    step: stepNumber, position: history.count - 1, source: Self.source(of: proposed),
                    drafts: proposed.count, speculated: plan.speculated, accepted: accepted, masks: plan.masks,
                    rows: plan.rowCount, tokens: tokens,
                    expectedTokens: planner?.expectedTokens(plan, drafts: proposed),
                    expectedSeconds: planner?.predicted(plan, accepted: accepted), seconds: finished - planned))
        }
        planner?.finish(plan, accepted: accepted, seconds: finished - planned)
        plannerSeconds += planned - started + (clock() - finished)
        return tokens
    }

    /// Passes the plan's rows and keeps those that are right; gives them, and proposals for what follows.
    private func pass(_ plan: StepPlan) throws -> (tokens: [Int], drafts: [Draft]) {
        let fed = drafts.prefix(plan.speculated)
        let layout = StepLayout(plan: plan, tokens: [verified] + fed.map(\.token))
        try model.forward(layout.rows)
        let tokens = try verify(fed: fed.map(\.token), rows: plan.ordinaryCount)
        let next = try nextDrafts(tokens: tokens, block: layout.block(after: tokens.count - 1))
        try model.keep(rows: 0..<tokens.count)
        return (tokens, next)
    }

    /// The same for the verified token alone, without the work that only drafts need: where nothing pays, decoding
    /// must cost what plain decoding does.
    private func plainPass() throws -> (tokens: [Int], drafts: [Draft]) {
        try model.forward([Row(.token(verified), after: nil)])
        try model.readLogits(rows: 0..<1)
        let token = try model.choose(row: 0, with: &chooser, history: history)
        history.append(token)
        let next = drafts.isEmpty && lookupLimit == 0 ? [] : try nextDrafts(tokens: [token], block: 0..<0)
        try model.keep(rows: 0..<1)
        return ([token], next)
    }

    private func nextPlan(limit: Int) -> StepPlan {
        // The verified token sits at position `keptCount`; drafts and masks may go up to the context's last.
        let room = model.contextLength - 1 - model.keptCount
        // The last token of a pass comes for nothing, so `limit` tokens need one draft less.
        let usable = min(drafts.count, max(0, limit - 1))
        let plan: StepPlan
        switch strategy {
        case .plain: plan = StepPlan(masks: [Int](repeating: 0, count: usable + 1))
        case .linear: plan = .linear(drafts: usable, masks: masks)
        case .quadratic: plan = .quadratic(drafts: usable, masks: masks)
        case .adaptive: plan = planner?.plan(drafts: Array(drafts.prefix(usable))) ?? .plain
        }
        return plan.limited(room: room, rows: model.rowLimit)
    }

    /// Takes tokens row by row while the drafts agree.
    private func verify(fed: [Int], rows: Int) throws -> [Int] {
        try model.readLogits(rows: 0..<rows)
        var tokens: [Int] = []
        for row in 0..<rows {
            let token = try model.choose(row: row, with: &chooser, history: history)
            tokens.append(token)
            history.append(token)
            guard row < fed.count, fed[row] == token else { break }
        }
        return tokens
    }

    /// Proposals for what follows the last of `tokens`, from the block after it, from what is left of the old
    /// proposals, and from the text.
    private func nextDrafts(tokens: [Int], block: Range<Int>) throws -> [Draft] {
        if lookupLimit > 0 { lookup.append(contentsOf: tokens) }
        var next: [Draft] = []
        if !block.isEmpty {
            next = try model.draft(after: tokens[tokens.count - 1], block: block)
            counts.drafted += next.count
        } else if drafts.count > tokens.count, zip(tokens, drafts).allSatisfy({ $0 == $1.token }) {
            next = Array(drafts[tokens.count...])
        }
        guard lookupLimit > 0 else { return next }
        let own = lookedUp(after: [])
        guard !next.isEmpty else { return own }
        // The text may go on where the masks end; or it may simply promise more than they do.
        let extended = next + lookedUp(after: next.map(\.token))
        guard let planner, !own.isEmpty else { return extended }
        return planner.promise(of: own) > planner.promise(of: extended) ? own : extended
    }

    private func lookedUp(after pending: [Int]) -> [Draft] {
        guard let match = lookup.match(pending: pending, limit: lookupLimit) else { return [] }
        return match.continuation.enumerated().map { index, token in
            Draft(token: token, confidence: 1, source: .lookup(length: match.length, depth: index + 1))
        }
    }

    /// Compares the old proposals with what came out, fed or not.
    private func record(tokens: [Int], plan: StepPlan) {
        counts.speculated += plan.speculated
        counts.accepted += tokens.count - 1
        for (index, draft) in drafts.prefix(tokens.count).enumerated() {
            let isRight = draft.token == tokens[index]
            planner?.observe(draft, accepted: isRight)
            counts.observe(draft, accepted: isRight)
            guard isRight else { break }
        }
    }

    private static func source(of drafts: [Draft]) -> String {
        let masks = drafts.contains { if case .mask = $0.source { true } else { false } }
        let text = drafts.contains { if case .lookup = $0.source { true } else { false } }
        return masks ? (text ? "masks+lookup" : "masks") : (text ? "lookup" : "none")
    }
}

extension Duration {
    var seconds: Double { Double(components.seconds) + Double(components.attoseconds) * 1e-18 }
}
