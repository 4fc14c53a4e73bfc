import CKernels

/// With what precision products take their activations.
public enum ActivationPrecision: String, CaseIterable, Sendable {
    /// 8 bits with a scale for each 32 columns, or for each 256 when the weights are in super-blocks of 256. Weights in
    /// F32, F16 and BF16 always meet float activations.
    case int8
    /// Floats: the reference. Quantized weights are decoded for every product, which is slow.
    case float32
}

/// Rows of activations that several products share. They are quantized once for all matrices that want them alike.
///
/// Used by one thread at a time.
@safe
public final class Activations {
    /// Most rows it can hold, and elements in a row.
    public let capacity: Int
    public let columns: Int
    /// Rows held now.
    public private(set) var rows = 0

    private let state: UnsafeMutablePointer<ft_activations>
    private let pool: WorkerPool
    private var source: FloatBuffer?
    private var prepared: UInt32 = 0
    private var memory: [UInt32: FloatBuffer] = [:]

    public init(capacity: Int, columns: Int, pool: WorkerPool) {
        precondition(capacity > 0 && columns > 0, "activations need rows and columns")
        self.capacity = capacity
        self.columns = columns
        self.pool = pool
        unsafe state = .allocate(capacity: 1)
        unsafe state.initialize(to: ft_activations())
        unsafe state.pointee.columns = columns
    }

    deinit { unsafe state.deallocate() }

    /// Takes `rows` rows of `columns` floats: row r begins at `offset + r * rowStride` of `buffer`.
    ///
    /// Nothing is copied: the floats must not change before the last product with them.
    public func load(_ buffer: FloatBuffer, offset: Int = 0, rowStride: Int? = nil, rows: Int) {
        let stride = rowStride ?? columns
        precondition(rows >= 1 && rows <= capacity && stride >= columns, "rows outside the activations")
        source = buffer
        self.rows = rows
        prepared = FT_FORM_FLOAT.rawValue
        unsafe state.pointee.rows = rows
        unsafe state.pointee.stride = stride
        unsafe state.pointee.values = UnsafePointer(
            buffer.address(offset..<offset + (rows - 1) * stride + columns))
    }

    /// The rows in the form that a product reads, made now if nobody has asked for it since `load`.
    func inForm(_ form: ft_form) throws(KernelError) -> UnsafePointer<ft_activations> {
        precondition(rows > 0, "activations were not loaded")
        if prepared & form.rawValue == 0 {
            try reserve(form)
            let isa = pool.instructionSet.identifier
            let state = unsafe SharedPointer(state)
            let runs = min(rows, rows * columns < 1 << 14 ? 1 : pool.threads * 2)
            let rows = rows
            pool.run(runs) { run in
                unsafe ft_prepare_activations(isa, form, state.pointer, rows * run / runs, rows * (run + 1) / runs)
            }
            prepared |= form.rawValue
        }
        return unsafe UnsafePointer(state)
    }

    private func reserve(_ form: ft_form) throws(KernelError) {
        let chunks = (columns + FT_CHUNK - 1) / FT_CHUNK
        switch form {
        case FT_FORM_32:
            unsafe state.pointee.blocks32 = unsafe try memory(form, chunks * MemoryLayout<ft_activations32>.stride)
        default:
            unsafe state.pointee.blocks256 = unsafe try memory(form, chunks * MemoryLayout<ft_activations256>.stride)
        }
    }

    /// Memory of a form for the rows of now; what there is already stays when it suffices.
    private func memory<Element>(
        _ form: ft_form, _ bytesPerRow: Int
    ) throws(KernelError) -> UnsafeMutablePointer<Element> {
        let floats = rows * bytesPerRow / MemoryLayout<Float>.stride
        let buffer: FloatBuffer
        if let held = memory[form.rawValue], held.count >= floats {
            buffer = held
        } else {
            buffer = try FloatBuffer(count: floats)
            memory[form.rawValue] = buffer
        }
        return unsafe UnsafeMutableRawPointer(buffer.address(0..<buffer.count))
            .bindMemory(to: Element.self, capacity: buffer.count * 4 / MemoryLayout<Element>.stride)
    }
}

/// A pointer that a job's items share.
@unsafe
struct SharedPointer<Pointee>: @unchecked Sendable {
    let pointer: UnsafeMutablePointer<Pointee>

    init(_ pointer: UnsafeMutablePointer<Pointee>) { unsafe self.pointer = pointer }
}
