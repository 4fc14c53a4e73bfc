/// The rows of a step in the order in which they are fed: ordinary rows first, in order of position, then the masks
/// block by block. (Mask rows lie together because they alone pass through the graft's low-rank factors.)
package struct StepLayout {
    package let rows: [Row]
    private let blockStarts: [Int]

    /// `tokens` are the verified token and the drafts that the plan feeds.
    package init(plan: StepPlan, tokens: [Int]) {
        precondition(tokens.count == plan.ordinaryCount, "one token for each ordinary row")
        var rows = Row.chain(tokens)
        rows.reserveCapacity(plan.rowCount)
        var starts: [Int] = []
        for (index, count) in plan.masks.enumerated() {
            starts.append(rows.count)
            for offset in 0..<count { rows.append(Row(.mask(offset), after: offset == 0 ? index : rows.count - 1)) }
        }
        starts.append(rows.count)
        self.rows = rows
        blockStarts = starts
    }

    /// The rows of the masks after ordinary row `index`.
    package func block(after index: Int) -> Range<Int> { blockStarts[index]..<blockStarts[index + 1] }
}
