import TensorFiles

/// Codes packed into a little-endian stream of bits, lowest bit first: code `i` of `bits` bits starts at bit
/// `i · bits`. Rows of such streams are what GPTQ, compressed-tensors and MLX store, whatever their word type.
enum BitStream {
    /// Code `index` of a stream that starts at byte `offset`.
    static func code(_ index: Int, bits: Int, in bytes: RawSpan, at offset: Int = 0) -> Int {
        let bit = index * bits
        let byte = offset + bit / 8
        let shift = bit % 8
        var word = Int(bytes.loadLittleEndian(byte, as: UInt8.self))
        if shift + bits > 8 { word |= Int(bytes.loadLittleEndian(byte + 1, as: UInt8.self)) << 8 }
        return word >> shift & ((1 << bits) - 1)
    }
}

/// What a quantized checkpoint's module becomes: a tensor of the plain model whose rows are decoded when they are
/// read. Always F32, which holds scale times code exactly.
struct ExpandedSource: TensorSource {
    let columns: Int
    let decode: RowDecoder

    /// Fills `values`, rows.count × columns zeros, with the values of some rows.
    typealias RowDecoder = @Sendable (_ rows: Range<Int>, _ values: inout [Float]) throws -> Void

    func withBytes<Result>(
        rows: Range<Int>, rowByteCount: Int, _ body: (RawSpan) throws -> Result
    ) throws -> Result {
        var values = [Float](repeating: 0, count: rows.count * columns)
        try decode(rows, &values)
        return try unsafe body(values.span.bytes)
    }
}

extension ModelGraph {
    /// How many weights are modules of a quantized Hub layout, seen as plain.
    public var expandedCount: Int { tensors.values.count { $0.source is ExpandedSource } }
}

extension Tensor {
    static func expanded(
        _ name: String, rows: Int, columns: Int, _ decode: @escaping ExpandedSource.RowDecoder
    ) -> Tensor? {
        Tensor(
            name: name, shape: [rows, columns], type: .f32, source: ExpandedSource(columns: columns, decode: decode))
    }

    /// All values of a small plain tensor, widened; scales and the like.
    func plainValues() throws -> [Float] {
        guard [.f32, .f16, .bf16].contains(type) else {
            throw ModelError.problems(
                file: name, [ModelProblem(.quantization, name, "expected F32, F16 or BF16, found \(type.rawValue)")])
        }
        var values: [Float] = []
        values.reserveCapacity(elementCount)
        try forEachRun { rows, bytes in
            for index in 0..<rows.count * rowLength { values.append(bytes.float(at: index, type)) }
        }
        return values
    }

    func integers32() throws -> [Int32] {
        guard type == .i32 || type == .u32 else {
            throw ModelError.problems(
                file: name, [ModelProblem(.quantization, name, "expected I32, found \(type.rawValue)")])
        }
        var values: [Int32] = []
        values.reserveCapacity(elementCount)
        try forEachRun { _, bytes in
            for offset in stride(from: 0, to: bytes.byteCount, by: 4) {
                values.append(bytes.loadLittleEndian(offset, as: Int32.self))
            }
        }
        return values
    }
}
