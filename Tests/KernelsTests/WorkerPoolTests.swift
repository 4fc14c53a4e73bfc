import Kernels
import Synchronization
import Testing

@Suite struct WorkerPoolTests {
    @Test(arguments: [1, 2, 3, 7])
    func everyItemRunsOnce(threads: Int) throws {
        let pool = try WorkerPool(threads: threads)
        for count in [0, 1, 2, 3, 5, 8, 64, 1000] {
            let runs = try FloatBuffer(count: max(count, 1))
            pool.run(count) { runs[$0] += Float($0 + 1) }
            #expect(runs.array(0..<count) == (0..<count).map { Float($0 + 1) })
        }
    }

    @Test func manySmallJobsInARow() throws {
        let pool = try WorkerPool(threads: 3)
        let total = Atomic(0)
        for _ in 0..<20_000 { pool.run(4) { _ in total.add(1, ordering: .relaxed) } }
        #expect(total.load(ordering: .relaxed) == 80_000)
    }

    @Test func jobsInsideJobsAndFromSeveralThreads() async throws {
        let pool = try WorkerPool(threads: 2)
        let total = Counter()
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<4 {
                group.addTask { total.count(200, jobsInJobsOf: pool) }
            }
        }
        #expect(total.value.load(ordering: .relaxed) == 4 * 200 * 15)
    }

    @Test func poolsEndWhileTheirThreadsSleepOrSpin() throws {
        for round in 0..<50 {
            let pool = try WorkerPool(threads: 4)
            pool.run(round % 3) { _ in }
        }
    }

    @Test func impossiblePoolsAreRefused() {
        #expect(throws: KernelError.threadsRefused(0)) { _ = try WorkerPool(threads: 0) }
        #expect(throws: KernelError.threadsRefused(100_000)) { _ = try WorkerPool(threads: 100_000) }
        for set in InstructionSet.allCases where !set.isSupported {
            #expect(throws: KernelError.unsupportedInstructionSet(set)) {
                _ = try WorkerPool(threads: 1, instructionSet: set)
            }
        }
    }
}

private final class Counter: Sendable {
    let value = Atomic(0)

    func count(_ times: Int, jobsInJobsOf pool: WorkerPool) {
        for _ in 0..<times {
            pool.run(5) { _ in pool.run(3) { _ in self.value.add(1, ordering: .relaxed) } }
        }
    }
}
