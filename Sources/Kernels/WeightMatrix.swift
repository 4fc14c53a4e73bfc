package import CKernels
import Synchronization
public import TensorFiles

/// A weight matrix [rows, columns] in memory, laid out for products with rows of activations: out = x · Wᵀ.
///
/// An output depends on its row of activations and its row of weights alone: not on the other rows of the batch, the
/// number of threads or the instruction set, to the bit. The arithmetic is stated in CKernels/include/matmul.h.
@safe
public final class WeightMatrix: @unchecked Sendable {
    public let name: String
    public let type: ElementType
    public let rows: Int
    public let columns: Int
    /// Memory taken.
    public let byteCount: Int

    let pool: WorkerPool
    package let weights: ft_weights
    /// The form of activations that its products read.
    let form: ft_form
    private let memory: UnsafeMutableRawPointer

    /// Reads a tensor of shape [rows, columns], or all matrices of [experts, rows, columns] one below the other.
    ///
    /// - Parameter chosen: rows to take, in this order; `nil` for all.
    public init(
        _ tensor: Tensor, precision: ActivationPrecision = .int8, chosen: [Int]? = nil, pool: WorkerPool
    ) throws {
        let rows = chosen?.count ?? tensor.rowCount
        guard let number = BlockCodec.number(of: tensor.type), Self.isMultiplied(tensor.type) else {
            throw KernelError.noProduct(tensor: tensor.name, tensor.type)
        }
        guard rows > 0, tensor.rowLength > 0, rows <= Int(UInt32.max) else {
            throw KernelError.notMatrix(tensor: tensor.name, rows: rows, columns: tensor.rowLength)
        }
        precondition(chosen?.allSatisfy { $0 >= 0 && $0 < tensor.rowCount } ?? true, "rows outside the tensor")
        let packs = ft_can_pack(number) && (precision == .int8 || !tensor.type.isQuantized)
        let lanes = packs ? ft_product_lanes(pool.instructionSet.identifier, number) : 0
        let panelRows = packs ? lanes : Self.plainPanelRows
        let panels = (rows + panelRows - 1) / panelRows
        let panelBytes =
            packs ? ft_panel_bytes(number, lanes, tensor.rowLength) : panelRows * tensor.rowByteCount
        let (bytes, overflow) = panels.multipliedReportingOverflow(by: panelBytes)
        guard !overflow, let memory = unsafe ft_allocate(bytes) else {
            throw KernelError.outOfMemory(bytes: overflow ? Int.max : bytes)
        }
        name = tensor.name
        type = tensor.type
        self.rows = rows
        columns = tensor.rowLength
        byteCount = bytes
        self.pool = pool
        unsafe self.memory = memory
        unsafe weights = ft_weights(
            type: number, lanes: lanes, rows: rows, columns: tensor.rowLength,
            data: memory.assumingMemoryBound(to: UInt8.self))
        form = unsafe withUnsafePointer(to: weights) {
            unsafe ft_product_form($0)
        }
        try unsafe Self.fill(memory, panels, panelBytes, panelRows, lanes, number, tensor, chosen, pool)
    }

    deinit { unsafe ft_release(memory, byteCount) }

    static let plainPanelRows = 8

    /// Integers that are no quantized weights are refused, though they could be read as numbers.
    static func isMultiplied(_ type: ElementType) -> Bool {
        switch type {
        case .bool, .u8, .i8, .u16, .i16, .u32, .i32, .u64, .i64, .c64, .q8_1, .q8_K: false
        default: true
        }
    }

    /// Lays out all panels, several at a time, each from a run of the tensor's rows.
    private static func fill(
        _ memory: UnsafeMutableRawPointer, _ panels: Int, _ panelBytes: Int, _ panelRows: Int, _ lanes: Int,
        _ number: ft_type, _ tensor: Tensor, _ chosen: [Int]?, _ pool: WorkerPool
    ) throws {
        let target = unsafe SharedPointer(memory.assumingMemoryBound(to: UInt8.self))
        let failure = Mutex<(any Error)?>(nil)
        let rows = chosen?.count ?? tensor.rowCount
        let perItem = max(1, (1 << 18) / panelBytes)
        let items = (panels + perItem - 1) / perItem
        pool.run(items) { item in
            do {
                for panel in item * perItem..<min(panels, (item + 1) * perItem) {
                    let range = panel * panelRows..<min(rows, (panel + 1) * panelRows)
                    let panelMemory = unsafe target.pointer + panel * panelBytes
                    try withRows(range, of: tensor, chosen) { bytes in
                        unsafe bytes.withUnsafeBytes { source in
                            let start = unsafe source.baseAddress!.assumingMemoryBound(to: UInt8.self)
                            if lanes > 0 {
                                unsafe ft_pack_panel(
                                    number, lanes, tensor.rowLength, start, tensor.rowByteCount, range.count,
                                    panelMemory)
                            } else {
                                unsafe panelMemory.update(from: start, count: source.count)
                            }
                        }
                    }
                }
                if chosen == nil {  // the file's pages are not needed twice
                    let done = item * perItem * panelRows..<min(rows, (item + 1) * perItem * panelRows)
                    tensor.source.release(rows: done, rowByteCount: tensor.rowByteCount)
                }
            } catch {
                failure.withLock { $0 = $0 ?? error }
            }
        }
        if let error = failure.withLock({ $0 }) { throw error }
    }

    /// The bytes of a run of rows, gathered when rows were chosen.
    private static func withRows(
        _ range: Range<Int>, of tensor: Tensor, _ chosen: [Int]?, _ body: (RawSpan) throws -> Void
    ) throws {
        guard let chosen else { return try tensor.withBytes(rows: range, body) }
        var gathered: [UInt8] = []
        gathered.reserveCapacity(range.count * tensor.rowByteCount)
        for row in chosen[range] {
            try tensor.withBytes(rows: row..<row + 1) { bytes in
                unsafe bytes.withUnsafeBytes { unsafe gathered.append(contentsOf: $0) }
            }
        }
        try body(unsafe gathered.span.bytes)
    }

    /// Writes one row's values, `columns` floats, as the tensor's own decoder reads them.
    public func row(_ row: Int, into buffer: FloatBuffer, at offset: Int = 0) {
        precondition(row >= 0 && row < rows, "row outside the matrix")
        unsafe withUnsafePointer(to: weights) {
            unsafe ft_unpack_row($0, row, buffer.address(offset..<offset + columns))
        }
    }
}
