/// Chooses each step's rows so that tokens per second are most: what drafts are worth is learnt while decoding, what
/// rows cost was measured on this machine.
///
/// When nothing pays, the plan is plain decoding; a small share of the time then goes to probes, blocks of one mask
/// whose drafts are compared with what plain decoding says, so that a text that becomes predictable is noticed.
package struct AdaptivePlanner {
    let maskCount: Int
    package private(set) var tracker: AcceptanceTracker
    package private(set) var costs: StepCosts
    package private(set) var policy: DraftPolicy
    /// Seconds that probes may still take: at first the time of two plain steps, since nothing is known yet.
    private var credit: Double
    /// Steps until values are computed anew, the pause after that, and what the policy's first step cost against a
    /// plain one when they were.
    private var countdown = 0
    private var pause = 4
    private var price = 1.0
    /// Steps since the last plain one.
    private var sincePlain = 0

    /// Share of the time that probing may take.
    private static let probingShare = 0.005
    /// Steps after which a plain one is due: what all others are measured against.
    private static let longestWithoutPlain = 256

    package init(maskCount: Int, costs: StepCosts, tracker: AcceptanceTracker? = nil) {
        self.maskCount = maskCount
        self.costs = costs
        self.tracker = tracker ?? AcceptanceTracker(maskCount: maskCount)
        policy = DraftPolicy(maskCount: maskCount, costs: costs)
        credit = 2 * costs.rows(ordinary: 1, masks: 0)
        for _ in 0..<8 where !policy.improve(acceptance: averages, costs: costs) { break }
        price = presentPrice
    }

    private var averages: [Double] {
        maskCount == 0 ? [] : (1...maskCount).map { tracker.probability(depth: $0) }
    }

    /// The plan for a step with these drafts at hand.
    package mutating func plan(drafts: [Draft]) -> StepPlan {
        guard sincePlain < Self.longestWithoutPlain else { return .plain }
        if drafts.isEmpty {
            let plan = policy.plans[0]
            guard plan.maskCount == 0, maskCount > 0 else { return plan }
            let cost = probeCost
            guard credit >= cost else { return plan }
            credit -= cost
            return StepPlan(masks: [1])
        }
        return policy.bestPlan(acceptance: acceptance(of: drafts), costs: costs).plan
    }

    /// What the drafts promise: tokens per step beyond the first, if they were all fed. To choose between sources.
    package func promise(of drafts: [Draft]) -> Double {
        policy.bestPlan(acceptance: acceptance(of: drafts), costs: costs).worth
    }

    private func acceptance(of drafts: [Draft]) -> [Double] { drafts.map { tracker.probability(of: $0) } }

    private var probeCost: Double {
        costs.rows(ordinary: 1, masks: 1) + costs.draft(masks: 1) - costs.rows(ordinary: 1, masks: 0)
    }

    /// Tokens that a step of this plan brings on average.
    package func expectedTokens(_ plan: StepPlan, drafts: [Draft]) -> Double {
        var reached = 1.0
        return drafts.prefix(plan.speculated).reduce(1) { sum, draft in
            reached *= tracker.probability(of: draft)
            return sum + reached
        }
    }

    package mutating func observe(_ draft: Draft, accepted: Bool) { tracker.observe(draft, accepted: accepted) }

    /// Seconds that the model says a step of this plan takes when `accepted` drafts are right.
    package func predicted(_ plan: StepPlan, accepted: Int) -> Double {
        costs.rows(ordinary: plan.ordinaryCount, masks: plan.maskCount) + costs.draft(masks: plan.masks[accepted])
    }

    /// Takes in how a step went, and now and then works out anew what drafts are worth.
    package mutating func finish(_ plan: StepPlan, accepted: Int, seconds: Double) {
        costs.observe(rows: plan.rowCount, predicted: predicted(plan, accepted: accepted), actual: seconds)
        sincePlain = plan.rowCount == 1 ? 0 : sincePlain + 1
        credit = min(credit + Self.probingShare * seconds, max(credit, 4 * probeCost))
        countdown -= 1
        // A plain step says nothing about what others cost against it.
        guard countdown <= 0 || (plan.rowCount > 1 && abs(presentPrice / price - 1) > 0.03) else { return }
        // Plans that stay the same are looked at less and less often.
        pause = policy.improve(acceptance: averages, costs: costs) ? 4 : min(64, pause * 2)
        countdown = pause
        price = presentPrice
    }

    private var presentPrice: Double {
        let first = policy.plans[0]
        return costs.rows(ordinary: 1, masks: first.maskCount) / costs.rows(ordinary: 1, masks: 0)
    }
}
