import CKernels
import Synchronization

/// What the machine can do at most, measured now: the ceilings that a model's speed is held against.
public struct MachineLimits: Hashable, Sendable {
    /// Bytes read from memory in a second, by all threads of the pool together.
    public var readBytesPerSecond: Double
    /// Products of bytes added up in a second, by all threads together, from registers.
    public var multiplyAddsPerSecond: Double

    /// Takes about a second. Reads a buffer larger than caches are; a smaller one where memory is short.
    public static func measure(_ pool: WorkerPool, bytes: Int = 512 << 20) throws(KernelError) -> MachineLimits {
        let count = bytes / MemoryLayout<Float>.stride / 4096 * 4096
        let buffer = try FloatBuffer(count: count)
        buffer.fill(0..<count, with: 1)
        // Shares small enough that a thread which was put aside holds nobody up.
        let shares = 64
        let read = Self.best(runs: 5) {
            pool.run(shares) { share in
                let part = count / shares
                let address = unsafe buffer.address(share * part..<(share + 1) * part)
                let sum = unsafe ft_read_memory(address, part * MemoryLayout<Float>.stride)
                precondition(sum != 1, "never: keeps the reads")
            }
        }
        let isa = pool.instructionSet.identifier
        let rounds: UInt64 = pool.instructionSet == .scalar ? 4_000_000 : 8_000_000
        let products = Atomic<UInt64>(0)
        let threads = pool.threads
        let multiply = Self.best(runs: 3) {
            products.store(0, ordering: .relaxed)
            pool.run(threads * 8) { _ in
                var sink: Int32 = 0
                let done = unsafe ft_multiply_bytes(isa, rounds / 8, &sink)
                products.wrappingAdd(done &+ UInt64(sink == 1 ? 1 : 0), ordering: .relaxed)
            }
        }
        return MachineLimits(
            readBytesPerSecond: Double(shares * (count / shares) * MemoryLayout<Float>.stride) / read,
            multiplyAddsPerSecond: Double(products.load(ordering: .relaxed)) / multiply)
    }

    private static func best(runs: Int, _ body: () -> Void) -> Double {
        (0..<runs).map { _ in
            let elapsed = ContinuousClock().measure(body).components
            return Double(elapsed.seconds) + Double(elapsed.attoseconds) * 1e-18
        }.min() ?? 0
    }
}
