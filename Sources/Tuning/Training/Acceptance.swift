/// What drafts would be worth, measured on held-out sequences with the true tokens as context.
///
/// At each anchor, drafts count as accepted while they equal what the base model itself says next. On text that the
/// base model wrote greedily this is what decoding gives, exactly; on other text it is an estimate.
public struct Acceptance: Hashable, Sendable, Codable {
    /// Share of anchors at which the first j drafts are all accepted; entry 0 is j = 1. With the sampler, without.
    public var byDepth: [Double]
    public var byDepthWithoutSampler: [Double]
    /// Tokens per step when each sequence is decoded from its first anchor with 1 … k masks; entry 0 is one mask.
    /// Quadratic: fresh drafts at every step.
    public var quadratic: [Double]
    public var quadraticWithoutSampler: [Double]
    /// Linear: no drafts at the step after one whose drafts were not all accepted.
    public var linear: [Double]
    public var linearWithoutSampler: [Double]

    /// Quadratic, all masks.
    public var tokensPerStep: Double { quadratic.last ?? 1 }
    public var tokensPerStepWithoutSampler: Double { quadraticWithoutSampler.last ?? 1 }

    init(sampler: Counter, base: Counter) {
        byDepth = sampler.shares
        byDepthWithoutSampler = base.shares
        quadratic = sampler.quadratic.map(\.rate)
        quadraticWithoutSampler = base.quadratic.map(\.rate)
        linear = sampler.linear.map(\.rate)
        linearWithoutSampler = base.linear.map(\.rate)
    }

    /// Counts while sequences go by.
    struct Counter {
        struct Walk {
            var tokens = 0
            var steps = 0
            var rate: Double { steps > 0 ? Double(tokens) / Double(steps) : 1 }
        }

        private var anchors = 0
        private var byDepth: [Int]
        private(set) var quadratic: [Walk]
        private(set) var linear: [Walk]

        init(masks: Int) {
            byDepth = [Int](repeating: 0, count: masks)
            quadratic = [Walk](repeating: Walk(), count: masks)
            linear = quadratic
        }

        /// - Parameter accepted: for each anchor from the first on, how many drafts would be accepted there.
        mutating func add(_ accepted: [Int]) {
            anchors += accepted.count
            for count in accepted {
                for depth in 0..<count { byDepth[depth] += 1 }
            }
            for masks in 1...max(1, byDepth.count) where masks <= byDepth.count {
                var place = 0
                while place < accepted.count {
                    let taken = 1 + min(accepted[place], masks)
                    quadratic[masks - 1].tokens += taken
                    quadratic[masks - 1].steps += 1
                    place += taken
                }
                place = 0
                while place < accepted.count {
                    let taken = min(accepted[place], masks)
                    linear[masks - 1].tokens += 1 + taken
                    linear[masks - 1].steps += 1
                    place += 1 + taken
                    // A failure leaves the next step without drafts: it takes one token.
                    if taken < masks, place < accepted.count {
                        linear[masks - 1].tokens += 1
                        linear[masks - 1].steps += 1
                        place += 1
                    }
                }
            }
        }

        var shares: [Double] { byDepth.map { anchors > 0 ? Double($0) / Double(anchors) : 0 } }
    }
}
