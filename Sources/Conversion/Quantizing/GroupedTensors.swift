import Kernels
import Quantization
import TensorFiles

/// The tensors of one quantized module, layout by layout (QS-10 to QS-40 of formats/quantized-safetensors.md). Codes
/// come first; what follows uses what was found with them.
struct GroupedTensors {
    let matrix: QuantizedMatrix
    let grouped: GroupedMatrix
    let fate: String

    init(_ matrix: QuantizedMatrix, _ grouped: GroupedMatrix, fate: String) {
        self.matrix = matrix
        self.grouped = grouped
        self.fate = fate
    }

    private var rows: Int { matrix.tensor.shape[0] }
    private var columns: Int { matrix.tensor.rowLength }

    /// `weight` U32 [O, I·b/32], `scales` and `biases` [O, I/g].
    func mlx() throws -> [ConversionPlan.Entry] {
        let grouped = self.grouped
        let words = grouped.format.codeBytes(inRowOf: columns) / 4
        return [
            try codes(".weight", [rows, words], .u32) { try grouped.codes($0) },
            try field(".scales", .scales), try field(".biases", .offsets),
        ]
    }

    /// `weight_packed` I32 [O, I/8], `weight_scale` [O, I/g], `weight_shape` I64 [2].
    func packed() throws -> [ConversionPlan.Entry] {
        let grouped = self.grouped
        let shape = [rows, columns].flatMap { dimension in
            (0..<8).map { UInt8(truncatingIfNeeded: dimension >> (8 * $0)) }
        }
        return [
            try codes(".weight_packed", [rows, columns / 8], .i32) { try grouped.codes($0) },
            try field(".weight_scale", .scales),
            try constant(".weight_shape", [2], .i64, bytes: shape),
        ]
    }

    /// `weight` I8 [O, I], `weight_scale` [O, 1].
    func integers() throws -> [ConversionPlan.Entry] {
        let grouped = self.grouped
        return [
            // Stored codes count from −128.
            try codes(".weight", [rows, columns], .i8) { try grouped.codes($0).map { $0 ^ 0x80 } },
            try field(".weight_scale", .scales),
        ]
    }

    /// `qweight` I32 [I/8, O], `qzeros` I32 [I/g, O/8], `scales` F16 [I/g, O], `g_idx` I32 [I].
    func gptq(threads: Int) throws -> [ConversionPlan.Entry] {
        let whole = TransposedMatrix(grouped, threads: threads)
        let (columns, groups) = (self.columns, grouped.groups)
        let indices = (0..<columns).flatMap { column in
            let group = column / (columns / groups)
            return (0..<4).map { UInt8(truncatingIfNeeded: group >> (8 * $0)) }
        }
        let kept = grouped.keptBytes + whole.byteCount
        func entry(
            _ ending: String, _ shape: [Int], _ type: ElementType, follows: Bool, rowBytes: Int,
            _ make: @escaping @Sendable (Range<Int>) throws -> [UInt8]
        ) throws -> ConversionPlan.Entry {
            try self.entry(ending, shape, type, rowBytes: rowBytes, kept: kept, follows: follows) {
                try whole.prepare()
                return make
            }
        }
        return [
            try entry(".qweight", [columns / 8, rows], .i32, follows: false, rowBytes: 0) { try whole.words($0) },
            try entry(".qzeros", [groups, rows / 8], .i32, follows: true, rowBytes: rows) { try whole.zeros($0) },
            try entry(".scales", [groups, rows], .f16, follows: true, rowBytes: 4 * rows) { try whole.scales($0) },
            try constant(".g_idx", [columns], .i32, bytes: indices),
        ]
    }

    private func codes(
        _ ending: String, _ shape: [Int], _ type: ElementType,
        _ make: @escaping @Sendable (Range<Int>) throws -> [UInt8]
    ) throws -> ConversionPlan.Entry {
        let grouped = self.grouped
        return try entry(ending, shape, type, rowBytes: grouped.rowBytes, kept: grouped.keptBytes, follows: false) {
            _ = try grouped.feedbackIfNeeded()
            return make
        }
    }

    private func field(_ ending: String, _ field: GroupedMatrix.Field) throws -> ConversionPlan.Entry {
        let grouped = self.grouped
        let type = grouped.format.scaleType
        // What a row takes when it has to be found again counts too.
        return try entry(
            ending, [rows, grouped.groups], type, rowBytes: grouped.rowBytes, kept: grouped.keptBytes, follows: true
        ) {
            { rows in
                try BlockCodec.encode(type, .nearest, grouped.field(field, rows), rowLength: grouped.groups)
            }
        }
    }

    private func constant(
        _ ending: String, _ shape: [Int], _ type: ElementType, bytes: [UInt8]
    ) throws -> ConversionPlan.Entry {
        let name = matrix.module + ending
        guard let tensor = Tensor(name: name, shape: shape, type: type, source: MemorySource(bytes)) else {
            throw ConversionError.invalid("\(name): shape \(shape) cannot be")
        }
        return try .init(copying: tensor, as: name, role: matrix.role, fate: fate)
    }

    private func entry(
        _ ending: String, _ shape: [Int], _ type: ElementType, rowBytes: Int, kept: Int, follows: Bool,
        prepare: @escaping @Sendable () throws -> RowMaker
    ) throws -> ConversionPlan.Entry {
        // Eight rows are searched at once, and what is read once is the source of the codes.
        .init(
            try TensorDeclaration(name: matrix.module + ending, shape: shape, type: type), role: matrix.role,
            rows: .made(preparationBytes: kept, rowBytes: rowBytes, prepare: prepare), rowMultiple: 8,
            followsPrevious: follows, sourceType: matrix.tensor.type,
            sourceByteCount: follows ? 0 : matrix.tensor.byteCount, fate: fate)
    }
}
