import CKernels

/// Threads that share out the items of one job at a time, and the instruction set that kernels run with.
///
/// Items go to threads in contiguous shares, and who is done early takes over from the others; so a job's outcome
/// must not depend on who runs an item. Threads wait for the next job briefly awake, then asleep: jobs of a few
/// microseconds gain from a second thread, and a pool that nobody uses costs nothing.
@safe
public final class WorkerPool: @unchecked Sendable {
    package let handle: OpaquePointer
    /// How many threads work on a job, the caller included.
    public let threads: Int
    public let instructionSet: InstructionSet

    /// - Parameter instructionSet: `nil` for what `FORETOKEN_ISA` or the processor says.
    public init(threads: Int, instructionSet: InstructionSet? = nil) throws(KernelError) {
        let set: InstructionSet
        if let instructionSet { set = instructionSet } else { set = try InstructionSet.selected() }
        guard set.isSupported else { throw .unsupportedInstructionSet(set) }
        guard threads >= 1, let handle = unsafe ft_pool_create(threads) else { throw .threadsRefused(threads) }
        unsafe self.handle = handle
        self.threads = threads
        self.instructionSet = set
    }

    deinit { unsafe ft_pool_destroy(handle) }

    /// Calls `body` once for each index in 0 ..< count, on several threads, and returns when all calls have.
    ///
    /// A job started from inside a job is done by its caller alone.
    public func run(_ count: Int, _ body: @Sendable (Int) -> Void) {
        guard count > 1, threads > 1 else {
            for index in 0..<count { body(index) }
            return
        }
        withoutActuallyEscaping(body) { body in
            unsafe withUnsafePointer(to: body) { pointer in
                unsafe ft_pool_run(
                    handle, count,
                    { context, index in
                        unsafe context!.assumingMemoryBound(to: (@Sendable (Int) -> Void).self).pointee(index)
                    }, UnsafeMutableRawPointer(mutating: pointer))
            }
        }
    }
}
