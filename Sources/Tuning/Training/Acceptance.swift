/// What drafts would be worth, measured on held-out sequences with the true tokens as context.
///
/// At each anchor, drafts count as accepted while they equal what the base model itself says next. On text that the
/// base model wrote greedily this is decoding with fresh drafts at every step, exactly; on other text it is an
/// estimate.
public struct Acceptance: Hashable, Sendable, Codable {
    /// Share of anchors at which the first j drafts are all accepted; entry 0 is j = 1. With the sampler, without.
    public var byDepth: [Double]
    public var byDepthWithoutSampler: [Double]
    /// Tokens per step when each sequence is walked from its first anchor, a step at a time.
    public var tokensPerStep: Double
    public var tokensPerStepWithoutSampler: Double

    /// Counts while sequences go by.
    struct Counter {
        private var anchors = 0
        private var tokens = 0
        private var steps = 0
        private var byDepth: [Int]

        init(masks: Int) { byDepth = [Int](repeating: 0, count: masks) }

        /// - Parameter accepted: for each anchor from the first on, how many drafts would be accepted there.
        mutating func add(_ accepted: [Int]) {
            anchors += accepted.count
            for count in accepted {
                for depth in 0..<count { byDepth[depth] += 1 }
            }
            var place = 0
            while place < accepted.count {
                tokens += 1 + accepted[place]
                steps += 1
                place += 1 + accepted[place]
            }
        }

        var shares: [Double] { byDepth.map { anchors > 0 ? Double($0) / Double(anchors) : 0 } }
        var tokensPerStep: Double { steps > 0 ? Double(tokens) / Double(steps) : 1 }
    }
}
