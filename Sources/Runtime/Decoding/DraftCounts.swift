/// What became of drafts over a whole run.
public struct DraftCounts: Hashable, Sendable, Codable {
    /// Drafts that masks made.
    public var drafted = 0
    /// Drafts that were fed, and of these, that were right.
    public var speculated = 0
    public var accepted = 0
    /// For mask 1, 2, …: drafts whose predecessors were right, and how many of them were right too.
    public var triedByDepth: [Int] = []
    public var rightByDepth: [Int] = []

    public init() {}

    mutating func observe(_ draft: Draft, accepted: Bool) {
        guard case .mask(let depth) = draft.source else { return }
        while triedByDepth.count < depth {
            triedByDepth.append(0)
            rightByDepth.append(0)
        }
        triedByDepth[depth - 1] += 1
        if accepted { rightByDepth[depth - 1] += 1 }
    }

    /// Counts of both runs together.
    public mutating func add(_ other: DraftCounts) {
        drafted += other.drafted
        speculated += other.speculated
        accepted += other.accepted
        triedByDepth = Self.sum(triedByDepth, other.triedByDepth)
        rightByDepth = Self.sum(rightByDepth, other.rightByDepth)
    }

    private static func sum(_ one: [Int], _ other: [Int]) -> [Int] {
        (0..<max(one.count, other.count)).map { index in
            (index < one.count ? one[index] : 0) + (index < other.count ? other[index] : 0)
        }
    }
}
