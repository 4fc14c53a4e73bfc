/// How often drafts turn out right, by where they came from and how sure their proposer was; old evidence fades.
///
/// A draft counts when its predecessors were right. Estimates are shrunk: of a confidence class towards its depth's,
/// of a depth towards the one before it, so that what was hardly seen yet is not believed.
package struct AcceptanceTracker: Codable, Hashable {
    /// Faded counts.
    package struct Count: Codable, Hashable {
        var right = 0.0
        var tried = 0.0

        mutating func add(_ accepted: Bool, keep: Double) {
            right = right * keep + (accepted ? 1 : 0)
            tried = tried * keep + 1
        }

        func estimate(prior: Double, weight: Double) -> Double { (right + prior * weight) / (tried + weight) }
    }

    /// Upper ends of the confidence classes.
    private static let classes: [Float] = [0.1, 0.25, 0.4, 0.55, 0.7, 0.82, 0.92, 0.98]
    static let longestLookup = 8
    /// What is believed of the first mask before anything was seen, and how many observations that is worth.
    private static let prior = 0.3
    private static let weight = 3.0
    /// Half of the evidence has faded after about 90 observations.
    private static let keep = 0.9925

    let maskCount: Int
    private var depths: [Count]
    private var depthClasses: [[Count]]
    private var lookups: [[Count]]
    /// Everything that was ever tried and right, unfaded.
    private(set) var tried: [Int]
    private(set) var right: [Int]

    package init(maskCount: Int) {
        self.maskCount = maskCount
        depths = [Count](repeating: Count(), count: maskCount)
        depthClasses = [[Count]](
            repeating: [Count](repeating: Count(), count: Self.classes.count + 1), count: maskCount)
        lookups = [[Count]](repeating: [Count](repeating: Count(), count: 2), count: Self.longestLookup + 1)
        tried = [Int](repeating: 0, count: maskCount)
        right = [Int](repeating: 0, count: maskCount)
    }

    private static func classIndex(_ confidence: Float) -> Int {
        classes.firstIndex { confidence <= $0 } ?? classes.count
    }

    /// Records what became of a draft whose predecessors were all right.
    package mutating func observe(_ draft: Draft, accepted: Bool) {
        switch draft.source {
        case .mask(let depth):
            guard depth <= maskCount else { return }
            depths[depth - 1].add(accepted, keep: Self.keep)
            depthClasses[depth - 1][Self.classIndex(draft.confidence)].add(accepted, keep: Self.keep)
            tried[depth - 1] += 1
            if accepted { right[depth - 1] += 1 }
        case .lookup(let length, let depth):
            lookups[min(length, Self.longestLookup)][depth == 1 ? 0 : 1].add(accepted, keep: Self.keep)
        }
    }

    /// Probability that the draft of mask `depth` is right when those before it are, whatever its confidence.
    package func probability(depth: Int) -> Double {
        var estimate = Self.prior
        for index in 0..<min(depth, maskCount) {
            estimate = depths[index].estimate(prior: index == 0 ? estimate : 0.95 * estimate, weight: Self.weight)
        }
        return estimate
    }

    /// Nothing is believed more than this: a row or two of insurance is cheap where rows are, and a class of drafts
    /// that happened to be right every time so far would otherwise go without.
    private static let ceiling = 0.975

    /// The same for this very draft.
    package func probability(of draft: Draft) -> Double { min(Self.ceiling, uncapped(draft)) }

    private func uncapped(_ draft: Draft) -> Double {
        switch draft.source {
        case .mask(let depth):
            let average = probability(depth: depth)
            guard depth <= maskCount else { return average }
            return depthClasses[depth - 1][Self.classIndex(draft.confidence)]
                .estimate(prior: average, weight: 2 * Self.weight)
        case .lookup(let length, let depth):
            let row = lookups[min(length, Self.longestLookup)]
            let first = row[0].estimate(prior: length >= 3 ? 0.4 : 0.25, weight: 2)
            return depth == 1 ? first : row[1].estimate(prior: first, weight: 2)
        }
    }
}
