import Foundation
import Quantization
import TensorFiles
import Testing

/// Plans for a number of bytes, over made-up tables of errors.
@Suite struct BudgetPlannerTests {
    /// Tables as measuring makes them: larger types cost less, mostly.
    private static func table(_ generator: inout SplitMix, rows: Int, types: [ElementType]) -> ErrorTable {
        ErrorTable(
            rows: (0..<rows).map { index in
                let shape = [8 * Int.random(in: 1...40, using: &generator), 256]
                let subject = QuantizationSubject(
                    name: "blk.\(index).ffn_up.weight", shape: shape, sourceType: .f32)
                let scale = Double.random(in: 0.01...3, using: &generator)
                let choices = types.map { type in
                    let bytes = (type.byteCount(elements: 256) ?? 0) * shape[0]
                    let bits = 8 * Double(bytes) / Double(subject.elementCount)
                    let cost = scale * pow(4, -bits) * Double.random(in: 0.5...2, using: &generator)
                    return ErrorTable.Choice(type: type, byteCount: bytes, relativeError: cost / scale, cost: cost)
                }
                return ErrorTable.Row(subject: subject, choices: choices.sorted { $0.byteCount < $1.byteCount })
            })
    }

    @Test func plansAreNeverWorseThanOneTypeForAllOrTheFrontier() throws {
        var generator = SplitMix(state: 5)
        for _ in 0..<40 {
            let rows = Int.random(in: 1...60, using: &generator)
            let planner = BudgetPlanner(
                Self.table(&generator, rows: rows, types: ErrorTable.types), fixedBytes: 4096)
            let most = try #require(planner.uniform(.f16)).byteCount
            for _ in 0..<8 {
                let budget = Int.random(in: planner.smallest.byteCount...most, using: &generator)
                let plan = try planner.best(within: budget)
                #expect(plan.byteCount <= budget)
                for other in planner.frontier() + ErrorTable.types.compactMap(planner.uniform)
                where other.byteCount <= budget {
                    #expect(plan.cost <= other.cost)
                }
            }
            let smallest = planner.smallest.byteCount
            #expect(throws: QuantizationError.budgetTooSmall(requested: smallest - 1, smallest: smallest)) {
                try planner.best(within: smallest - 1)
            }
        }
    }

    /// Few enough to try them all.
    @Test func smallPlansAreTheBestThereAre() throws {
        var generator = SplitMix(state: 11)
        let types: [ElementType] = [.q2_K, .iq4_XS, .q5_K, .q8_0]
        for _ in 0..<30 {
            let table = Self.table(&generator, rows: 5, types: types)
            let planner = BudgetPlanner(table, fixedBytes: 0)
            let most = try #require(planner.uniform(.q8_0)).byteCount
            let budget = Int.random(in: planner.smallest.byteCount...most, using: &generator)
            var least = Double.infinity
            for number in 0..<1024 {
                let picked = (0..<5).map { table.rows[$0].choices[number >> (2 * $0) & 3] }
                let bytes = picked.reduce(0) { $0 + ($1.byteCount + 31) / 32 * 32 }
                if bytes <= budget { least = min(least, picked.reduce(0) { $0 + $1.cost }) }
            }
            let plan = try planner.best(within: budget)
            // The programme counts bytes in parts of the slack, so it may miss what a part more would allow.
            #expect(plan.cost >= least * 0.999_999 && plan.cost <= least * 1.02)
        }
    }

    @Test func aTableOfOneRowTakesTheLargestTypeThatFits() throws {
        var generator = SplitMix(state: 3)
        let table = Self.table(&generator, rows: 1, types: [.q4_K, .q6_K, .f16])
        let planner = BudgetPlanner(table, fixedBytes: 100)
        let q6 = try #require(planner.uniform(.q6_K)).byteCount
        #expect(try planner.best(within: q6).byteCount == q6)
        #expect(try planner.best(within: q6 + 31).byteCount == q6)
    }
}
