/// Which rows one step of multi-token decoding feeds: the last verified token, some of the drafts after it, and a
/// block of masks after each of those tokens (possibly empty).
public struct StepPlan: Hashable, Sendable, Codable {
    /// Masks after the last verified token (first entry) and after each speculated token, in order.
    public var masks: [Int]

    /// How many drafts are fed.
    public var speculated: Int { masks.count - 1 }
    public var maskCount: Int { masks.reduce(0, +) }
    public var ordinaryCount: Int { masks.count }
    public var rowCount: Int { masks.count + maskCount }

    public init(masks: [Int]) {
        precondition(!masks.isEmpty && masks.allSatisfy { $0 >= 0 }, "a step feeds the verified token at least")
        self.masks = masks
    }

    /// One row, no drafts: plain decoding.
    public static let plain = StepPlan(masks: [0])

    /// All drafts, and masks after the last of them only: one wrong draft and the next step has none.
    public static func linear(drafts: Int, masks: Int) -> StepPlan {
        StepPlan(masks: [Int](repeating: 0, count: drafts) + [masks])
    }

    /// All drafts, and masks after every token: whatever fails, fresh drafts follow. (drafts + 1)(masks + 1) rows.
    public static func quadratic(drafts: Int, masks: Int) -> StepPlan {
        StepPlan(masks: [Int](repeating: masks, count: drafts + 1))
    }

    /// The plan within limits: `room` positions after the verified token's own, and `rows` rows; the masks of the
    /// last blocks go first.
    func limited(room: Int, rows: Int) -> StepPlan {
        let fed = masks.prefix(max(1, min(room + 1, rows)))
        var left = max(0, rows - fed.count)
        var kept: [Int] = []
        for (index, count) in fed.enumerated() {
            kept.append(min(count, max(0, room - index), left))
            left -= kept[index]
        }
        return StepPlan(masks: kept)
    }
}
