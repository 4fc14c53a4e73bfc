public import TensorFiles

/// Chooses a type for each tensor so that the file fits a number of bytes and the summed cost is least.
///
/// A multiple-choice knapsack. Its linear relaxation (the lower convex hull of each tensor's choices, taken by falling
/// gain per byte) gives the frontier; a dynamic programme over finely divided bytes gives the plan, and no plan worse
/// than any of those, or than one type for all, is returned.
public struct BudgetPlanner: Sendable {
    public struct Plan: Sendable, Hashable {
        /// For each row of the table, the index of the choice.
        public var choices: [Int]
        /// The whole file.
        public var byteCount: Int
        public var cost: Double
    }

    public let table: ErrorTable
    /// Bytes of the file that no choice changes: header, metadata, tensors that are kept.
    public let fixedBytes: Int
    public let alignment: Int

    public init(_ table: ErrorTable, fixedBytes: Int, alignment: Int = 32) {
        self.table = table
        self.fixedBytes = fixedBytes
        self.alignment = alignment
    }

    private func bytes(_ row: Int, _ choice: Int) -> Int {
        TypePlan.padded(table.rows[row].choices[choice].byteCount, alignment)
    }

    private func plan(_ choices: [Int]) -> Plan {
        var plan = Plan(choices: choices, byteCount: fixedBytes, cost: 0)
        for (row, choice) in choices.enumerated() {
            plan.byteCount += bytes(row, choice)
            plan.cost += table.rows[row].choices[choice].cost
        }
        return plan
    }

    /// The smallest file there can be.
    public var smallest: Plan { plan(table.rows.map { _ in 0 }) }

    /// The plan that gives every tensor `type`, or what it falls back to.
    public func uniform(_ type: ElementType) -> Plan? {
        let choices = table.rows.map { row in
            row.choices.firstIndex { $0.type == TypeChooser.fitting(type, rowLength: row.subject.rowLength) }
        }
        let found = choices.compactMap { $0 }
        return found.count == choices.count ? plan(found) : nil
    }

    /// Plans on the convex hull of size and cost, smallest first: each takes the step that gains most per byte.
    public func frontier() -> [Plan] {
        var current = smallest
        var plans = [current]
        let hulls = table.rows.indices.map(hull)
        var steps: [(gain: Double, row: Int, to: Int, step: Int)] = []
        for (row, hull) in hulls.enumerated() {
            for step in 1..<max(1, hull.count) where hull.count > 1 {
                let (from, to) = (hull[step - 1], hull[step])
                let saved = table.rows[row].choices[from].cost - table.rows[row].choices[to].cost
                steps.append((saved / Double(max(1, bytes(row, to) - bytes(row, from))), row, to, step))
            }
        }
        steps.sort { ($1.gain, $0.row, $0.step) < ($0.gain, $1.row, $1.step) }
        for step in steps {
            current.choices[step.row] = step.to
            plans.append(plan(current.choices))
        }
        return plans
    }

    /// Choices of a row on the lower convex hull of (bytes, cost), from the smallest.
    private func hull(_ row: Int) -> [Int] {
        let choices = table.rows[row].choices
        var hull: [Int] = []
        func slope(_ a: Int, _ b: Int) -> Double {
            (choices[b].cost - choices[a].cost) / Double(max(1, bytes(row, b) - bytes(row, a)))
        }
        for index in choices.indices {
            if let last = hull.last, choices[index].cost >= choices[last].cost { continue }
            while hull.count > 1,
                slope(hull[hull.count - 2], hull[hull.count - 1]) >= slope(hull[hull.count - 1], index)
            {
                hull.removeLast()
            }
            hull.append(index)
        }
        return hull
    }

    /// The best plan of at most `budget` bytes.
    public func best(within budget: Int) throws(QuantizationError) -> Plan {
        let smallest = self.smallest
        guard smallest.byteCount <= budget else {
            throw .budgetTooSmall(requested: budget, smallest: smallest.byteCount)
        }
        var candidates = [smallest]
        candidates += frontier().filter { $0.byteCount <= budget }
        candidates += ErrorTable.types.compactMap(uniform).filter { $0.byteCount <= budget }
        candidates.append(divided(budget))
        candidates = candidates.map { filled($0, budget) }
        return candidates.min { ($0.cost, $0.byteCount) < ($1.cost, $1.byteCount) } ?? smallest
    }

    /// The dynamic programme: bytes above the smallest plan in `units` parts, each choice rounded up.
    private func divided(_ budget: Int, units: Int = 8192) -> Plan {
        let slack = budget - smallest.byteCount
        let unit = max(1, (slack + units - 1) / units)
        let width = slack / unit + 1
        var cost = [Double](repeating: 0, count: width)
        var taken: [[UInt8]] = []
        for row in table.rows.indices {
            let base = bytes(row, 0)
            var next = [Double](repeating: .infinity, count: width)
            var choice = [UInt8](repeating: 0, count: width)
            for (index, option) in table.rows[row].choices.enumerated() {
                let size = (max(0, bytes(row, index) - base) + unit - 1) / unit
                guard size < width else { continue }
                for used in size..<width where cost[used - size] + option.cost < next[used] {
                    next[used] = cost[used - size] + option.cost
                    choice[used] = UInt8(index)
                }
            }
            cost = next
            taken.append(choice)
        }
        var used = width - 1
        var choices = [Int](repeating: 0, count: table.rows.count)
        for row in table.rows.indices.reversed() {
            let index = Int(taken[row][used])
            choices[row] = index
            used -= (max(0, bytes(row, index) - bytes(row, 0)) + unit - 1) / unit
        }
        return plan(choices)
    }

    /// Spends what is left of the budget, and trades one tensor's bytes for another's while that lowers the cost.
    private func filled(_ start: Plan, _ budget: Int) -> Plan {
        var best = start
        for _ in 0..<64 {
            var improved: Plan?
            for row in table.rows.indices {
                for choice in table.rows[row].choices.indices where choice != best.choices[row] {
                    let delta = table.rows[row].choices[choice].cost - table.rows[row].choices[best.choices[row]].cost
                    let size = bytes(row, choice) - bytes(row, best.choices[row])
                    guard delta < 0, best.byteCount + size <= budget, best.cost + delta < improved?.cost ?? best.cost
                    else { continue }
                    var candidate = best
                    candidate.choices[row] = choice
                    candidate.byteCount += size
                    candidate.cost += delta
                    improved = candidate
                }
            }
            guard let improved else { break }
            best = improved
        }
        return plan(best.choices)
    }
}

extension TypePlan {
    /// A plan as the planner chose it; subjects without a row are kept.
    public init(
        _ chosen: BudgetPlanner.Plan, of table: ErrorTable, _ subjects: [QuantizationSubject], reason: String,
        method: BlockMethod = .search
    ) {
        var types: [String: ElementType] = [:]
        for (row, choice) in zip(table.rows, chosen.choices) { types[row.subject.name] = row.choices[choice].type }
        entries = subjects.map { subject in
            guard let type = types[subject.name] else {
                return Entry(
                    subject: subject, type: TypeChooser.keptType(subject), reason: "kept as it is", method: .nearest)
            }
            return Entry(subject: subject, type: type, reason: reason, method: method)
        }
    }
}
