import CKernels

/// Keys and values of every block and key/value head by slot, and the attention of query rows over them.
///
/// Memory is taken from the system as slots are written. A slot's record is read as it was stored, rounded to the
/// precision, also by the pass that wrote it.
@safe
public final class KeyValueStore: @unchecked Sendable {
    public enum Precision: String, CaseIterable, Sendable, Codable {
        case f32, f16
        /// Signed bytes with a scale for each 32.
        case q8 = "q8_0"

        var type: ft_cache_type {
            switch self {
            case .f32: FT_CACHE_F32
            case .f16: FT_CACHE_F16
            case .q8: FT_CACHE_Q8
            }
        }
    }

    public struct Shape: Hashable, Sendable {
        public var blocks: Int
        public var heads: Int
        public var headSize: Int
        /// Slots.
        public var capacity: Int
        public var precision: Precision

        public init(blocks: Int, heads: Int, headSize: Int, capacity: Int, precision: Precision) {
            self.blocks = blocks
            self.heads = heads
            self.headSize = headSize
            self.capacity = capacity
            self.precision = precision
        }

        /// Bytes of one slot in all blocks and heads, keys and values.
        public var bytesPerSlot: Int { 2 * blocks * heads * recordBytes }

        /// All bytes, or `nil` when their number overflows.
        public var byteCount: Int? {
            let (bytes, overflow) = bytesPerSlot.multipliedReportingOverflow(by: capacity)
            return overflow ? nil : bytes
        }

        var recordBytes: Int { ft_cache_record_bytes(precision.type, headSize) }
    }

    public let shape: Shape
    private let memory: UnsafeMutableRawPointer
    private let store: @convention(c) (ft_cache_type, UnsafeMutableRawPointer?, UnsafePointer<Float>?, Int) -> Void
    private let kernels: UnsafePointer<ft_attention_kernels>

    public init(_ shape: Shape, instructionSet: InstructionSet) throws(KernelError) {
        guard let bytes = shape.byteCount, let memory = unsafe ft_allocate(max(64, bytes)) else {
            throw .outOfMemory(bytes: shape.byteCount ?? Int.max)
        }
        self.shape = shape
        unsafe self.memory = memory
        unsafe kernels = ft_attention_kernels_for(instructionSet.identifier)
        unsafe store = kernels.pointee.store
    }

    deinit { unsafe ft_release(memory, max(64, shape.byteCount!)) }

    private func records(block: Int, head: Int, values: Bool) -> UnsafeMutableRawPointer {
        let run = (2 * block + (values ? 1 : 0)) * shape.heads + head
        return unsafe memory + run * shape.capacity * shape.recordBytes
    }

    /// Stores one slot's keys and values, [heads · head size] floats each.
    public func write(
        block: Int, slot: Int, keys: FloatBuffer, at keyStart: Int, values: FloatBuffer, at valueStart: Int
    ) {
        precondition(block < shape.blocks && slot >= 0 && slot < shape.capacity, "a slot outside the store")
        let key = unsafe keys.address(keyStart..<keyStart + shape.heads * shape.headSize)
        let value = unsafe values.address(valueStart..<valueStart + shape.heads * shape.headSize)
        let offset = slot * shape.recordBytes
        for head in 0..<shape.heads {
            let from = head * shape.headSize
            unsafe store(
                shape.precision.type, records(block: block, head: head, values: false) + offset, key + from,
                shape.headSize)
            unsafe store(
                shape.precision.type, records(block: block, head: head, values: true) + offset, value + from,
                shape.headSize)
        }
    }

    /// Copies a slot's records of all blocks and heads.
    public func move(from source: Int, to target: Int) {
        precondition(max(source, target) < shape.capacity && min(source, target) >= 0, "a slot outside the store")
        guard source != target else { return }
        let size = shape.recordBytes
        for run in 0..<2 * shape.blocks * shape.heads {
            let base = unsafe memory + run * shape.capacity * size
            unsafe (base + target * size).copyMemory(from: base + source * size, byteCount: size)
        }
    }

    /// A row's place in a pass: its distance below the settled positions, from 1, and where the list of slots that
    /// leads to it begins.
    public struct Paths: Sendable {
        public var depths: [Int64]
        public var starts: [Int64]
        /// Slots past the settled ones, from the root to each row.
        public var slots: [Int32]

        public init(depths: [Int64], starts: [Int64], slots: [Int32]) {
            precondition(depths.count == starts.count)
            for (depth, start) in zip(depths, starts) {
                precondition(depth > 0 && start >= 0 && Int(start + depth) <= slots.count, "a path outside its list")
            }
            self.depths = depths
            self.starts = starts
            self.slots = slots
        }
    }

    /// What attention does to a score before the softmax.
    public struct Scores: Hashable, Sendable {
        public var scale: Float
        /// 0: none.
        public var cap: Float
        /// Positions a row sees, its own included; 0: all.
        public var window: Int

        public init(scale: Float, cap: Float, window: Int) {
            self.scale = scale
            self.cap = cap
            self.window = window
        }
    }

    /// Attention of all rows of a pass. Query and output rows are [heads, head size], `stride` floats apart.
    ///
    /// Positions below `settled` lie in the slot of their number, later ones along each row's path.
    public func attend(
        block: Int, heads: Int, settled: Int, paths: Paths, scores: Scores, queries: FloatBuffer, stride: Int,
        into out: FloatBuffer, outStride: Int, pool: WorkerPool
    ) {
        let rows = paths.depths.count
        guard rows > 0 else { return }
        precondition(block < shape.blocks && settled >= 0 && heads % shape.heads == 0)
        precondition(settled + Int(paths.slots.max() ?? 0) < shape.capacity, "a slot outside the store")
        let queryBase = unsafe queries.address(0..<(rows - 1) * stride + heads * shape.headSize)
        let outBase = unsafe out.address(0..<(rows - 1) * outStride + heads * shape.headSize)
        unsafe paths.depths.withUnsafeBufferPointer { depths in
            unsafe paths.starts.withUnsafeBufferPointer { starts in
                unsafe paths.slots.withUnsafeBufferPointer { slots in
                    var pass = unsafe ft_attention_pass(
                        kernels: kernels, type: shape.precision.type, head_size: shape.headSize, heads: heads,
                        shared_heads: shape.heads, keys: records(block: block, head: 0, values: false),
                        values: records(block: block, head: 0, values: true),
                        head_stride: shape.capacity * shape.recordBytes, settled: settled,
                        depths: depths.baseAddress, path_starts: starts.baseAddress, paths: slots.baseAddress,
                        window: scores.window, queries: queryBase, query_stride: stride, out: outBase,
                        out_stride: outStride, scale: scores.scale, cap: scores.cap)
                    let items = rows * shape.heads
                    // A region of several threads costs about as much as ten thousand multiplications.
                    let positions = scores.window > 0 ? min(scores.window, settled + rows) : settled + rows
                    if positions * rows * heads * shape.headSize < 20_000 {
                        for item in 0..<items { unsafe ft_attention_item(&pass, item) }
                    } else {
                        unsafe ft_pool_run(pool.handle, items, ft_attention_item, &pass)
                    }
                }
            }
        }
    }
}
