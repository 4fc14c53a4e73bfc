/// What drafts are worth on average: the solution of a small decision problem.
///
/// Decoding moves between states "s drafts are at hand". In a state, a plan feeds m ≤ s of them and hangs `masks[i]`
/// masks after the i-th of the m + 1 ordinary rows; with probability `P_i` exactly i drafts are right, i + 1 tokens
/// come out, and the next state is `masks[i]`. The policy maximises tokens per second in the long run,
///
///     value(s) = max over plans of  Σ P_i (i + 1 + value(masks[i]) − rate · drafting(masks[i])) − rate · rows(plan)
///
/// with value(0) = 0 and `rate` the tokens per second of the policy itself (Howard's policy iteration for
/// semi-Markov problems). The blocks' terms are separate but for the row count, so the best plan is found by adding
/// runs of masks in order of what they bring per row.
package struct DraftPolicy {
    /// Worth, in tokens, of starting a step with this many drafts at hand; nothing for none.
    package private(set) var values: [Double]
    /// Tokens per second.
    package private(set) var rate: Double
    /// The plan for each state, by average acceptance.
    package private(set) var plans: [StepPlan]

    /// A little of every state's future is a fresh start without drafts (a prompt ends), which ties states that
    /// would never reach each other.
    private static let persistence = 0.995

    package init(maskCount: Int, costs: StepCosts) {
        values = [Double](repeating: 0, count: maskCount + 1)
        plans = [StepPlan](repeating: .plain, count: maskCount + 1)
        rate = 1 / max(costs.rows(ordinary: 1, masks: 0), 1e-9)
    }

    /// One round of improvement: best plans by the present values, then values and rate of those plans. Returns
    /// whether a plan changed.
    package mutating func improve(acceptance: [Double], costs: StepCosts) -> Bool {
        var next = plans
        for state in values.indices {
            next[state] = bestPlan(acceptance: Array(acceptance.prefix(state)), costs: costs).plan
        }
        let changed = next != plans
        plans = next
        evaluate(acceptance: acceptance, costs: costs)
        return changed
    }

    /// The plan with the greatest worth when the drafts at hand are right with these probabilities (each given that
    /// those before it are), and its worth in tokens over doing nothing for ever at `rate`.
    package func bestPlan(acceptance: [Double], costs: StepCosts, largestBlock: Int? = nil) -> (
        plan: StepPlan, worth: Double
    ) {
        let largest = min(largestBlock ?? values.count - 1, values.count - 1)
        let steps = Self.increments(of: blockWorth(costs: costs, largest: largest))
        var best = (plan: StepPlan.plain, worth: -Double.infinity)
        var reached = 1.0
        var expected = 0.0
        // Probability that exactly i drafts are right, for the drafts fed so far.
        var exactly: [Double] = []
        for speculated in 0...acceptance.count {
            if speculated > 0 { reached *= acceptance[speculated - 1] }
            expected += reached
            if speculated > 0 { exactly[speculated - 1] -= reached }
            exactly.append(reached)
            // Feeding a draft that is never right cannot pay, nor can any after it.
            guard reached > 1e-4 else { break }
            let option = fill(exactly: exactly, expected: expected, increments: steps, costs: costs)
            if option.worth > best.worth { best = option }
        }
        return best
    }

    /// Worth of a block of c masks after a row that turns out to be the last right one.
    private func blockWorth(costs: StepCosts, largest: Int) -> [Double] {
        (0...largest).map { count in
            count == 0 ? 0 : Self.persistence * values[count] - rate * costs.draft(masks: count)
        }
    }

    /// Runs of masks by which a block is best grown: each the one with the highest worth per row from where the last
    /// ended (the concave hull of the worth).
    private static func increments(of worth: [Double]) -> [(rows: Int, worth: Double)] {
        var runs: [(rows: Int, worth: Double)] = []
        var from = 0
        while from < worth.count - 1 {
            var best = (rows: 0, worth: 0.0)
            for to in (from + 1)..<worth.count {
                let gain = worth[to] - worth[from]
                if gain > 0, best.rows == 0 || gain * Double(best.rows) > best.worth * Double(to - from) {
                    best = (to - from, gain)
                }
            }
            guard best.rows > 0 else { break }
            runs.append(best)
            from += best.rows
        }
        return runs
    }

    private func fill(
        exactly: [Double], expected: Double, increments: [(rows: Int, worth: Double)], costs: StepCosts
    ) -> (plan: StepPlan, worth: Double) {
        let ordinary = exactly.count
        var masks = [Int](repeating: 0, count: ordinary)
        var taken = [Int](repeating: 0, count: ordinary)
        var gained = 0.0
        var total = 0
        var bestMasks = masks
        var bestWorth = expected - rate * costs.rows(ordinary: ordinary, masks: 0)
        while true {
            var pick = -1
            var density = 0.0
            for block in 0..<ordinary where taken[block] < increments.count {
                let run = increments[taken[block]]
                let value = exactly[block] * run.worth / Double(run.rows)
                if value > density {
                    density = value
                    pick = block
                }
            }
            guard pick >= 0 else { break }
            let run = increments[taken[pick]]
            taken[pick] += 1
            masks[pick] += run.rows
            total += run.rows
            gained += exactly[pick] * run.worth
            let worth = expected + gained - rate * costs.rows(ordinary: ordinary, masks: total)
            if worth > bestWorth {
                bestWorth = worth
                bestMasks = masks
            }
        }
        return (StepPlan(masks: bestMasks), bestWorth)
    }

    /// Rate and values of the present plans: `value(s) + rate · time(s) − Σ P value(next) = tokens(s)` with
    /// value(0) = 0, a linear system in value(1) … value(k) and the rate.
    private mutating func evaluate(acceptance: [Double], costs: StepCosts) {
        let count = values.count
        // Column 0 stands for the rate.
        var matrix = [[Double]](repeating: [Double](repeating: 0, count: count + 1), count: count)
        for state in 0..<count {
            let plan = plans[state]
            var time = costs.rows(ordinary: plan.ordinaryCount, masks: plan.maskCount)
            var tokens = 0.0
            if state > 0 { matrix[state][state] += 1 }
            var reached = 1.0
            for (index, masks) in plan.masks.enumerated() {
                let goesOn = index < plan.speculated ? acceptance[index] : 0
                let exactly = reached * (1 - goesOn)
                tokens += exactly * Double(index + 1)
                time += exactly * costs.draft(masks: masks)
                if masks > 0 { matrix[state][masks] -= Self.persistence * exactly }
                reached *= goesOn
            }
            matrix[state][0] = time
            matrix[state][count] = tokens
        }
        guard let solution = Self.solve(matrix), solution[0] > 0 else { return }
        rate = solution[0]
        for state in 1..<max(1, count) { values[state] = solution[state] }
    }

    /// Gaussian elimination with row exchange; `nil` when there is no single answer.
    private static func solve(_ system: [[Double]]) -> [Double]? {
        var rows = system
        let count = rows.count
        for column in 0..<count {
            guard let pivot = (column..<count).max(by: { abs(rows[$0][column]) < abs(rows[$1][column]) }),
                abs(rows[pivot][column]) > 1e-12
            else { return nil }
            rows.swapAt(column, pivot)
            for row in 0..<count where row != column {
                let factor = rows[row][column] / rows[column][column]
                guard factor != 0 else { continue }
                for index in column...count { rows[row][index] -= factor * rows[column][index] }
            }
        }
        return (0..<count).map { rows[$0][count] / rows[$0][$0] }
    }
}
