import TensorFiles

/// Weights whose elements stand as they are, times a scale: compressed-tensors "int-quantized" (I8, one scale a row)
/// and "float-quantized", and FP8 with a scale for each block (`weight_scale_inv`, DeepSeek's and Qwen's).
/// W[o, i] = weight[o, i] · scale[⌊o/h⌋, ⌊i/w⌋].
struct ScaledWeights: QuantizedLayout {
    static let endings = [
        ".weight", ".weight_scale", ".weight_scale_inv", ".weight_zero_point", ".input_scale", ".input_zero_point",
    ]

    private let module: QuantizedModule
    private let weight: Tensor
    private let scales: [Float]
    /// Rows and columns that share a scale, and scales in a row of them.
    private let height: Int
    private let width: Int
    private let across: Int
    private let decode: @Sendable (UInt8) -> Float

    init(_ module: QuantizedModule) throws {
        self.module = module
        weight = try module.required(".weight", dimensions: 2)
        let scaleTensor: Tensor
        if let inverse = module.optional(".weight_scale_inv") {
            scaleTensor = inverse
        } else {
            scaleTensor = try module.required(".weight_scale")
        }
        switch weight.type {
        case .i8: decode = { Float(Int8(bitPattern: $0)) }
        case .f8E4M3: decode = { Self.e4m3[Int($0)] }
        case .f8E5M2: decode = { Float(Float16(bitPattern: UInt16($0) << 8)) }
        default: throw module.problem("weight is \(weight.type.rawValue), expected I8 or an 8-bit float")
        }
        if module.optional(".weight_zero_point") != nil {
            throw module.problem("integer weights with a zero point are not supported")
        }
        let (rows, columns) = (weight.shape[0], weight.shape[1])
        scales = try scaleTensor.plainValues()
        let block = module.settings[path: "weight_block_size"]?.arrayValue?.compactMap(\.numberValue) ?? []
        switch scaleTensor.shape {
        case [], [1]: (height, width, across) = (max(1, rows), max(1, columns), 1)
        case [rows], [rows, 1]: (height, width, across) = (1, max(1, columns), 1)
        case let shape where shape.count == 2 && shape[0] > 0 && shape[1] > 0:
            let stated = block.count == 2 && block.allSatisfy { (1...65_536).contains($0) }
            height = stated ? Int(block[0]) : (rows + shape[0] - 1) / shape[0]
            width = stated ? Int(block[1]) : (columns + shape[1] - 1) / shape[1]
            across = shape[1]
            guard height > 0, width > 0, (rows + height - 1) / height == shape[0],
                (columns + width - 1) / width == shape[1]
            else {
                throw module.problem("scales of shape \(shape) for a weight of shape \(weight.shape)")
            }
        default: throw module.problem("scales of shape \(scaleTensor.shape) for a weight of shape \(weight.shape)")
        }
    }

    /// Values of the 256 codes of F8_E4M3 ("fn": no infinities, 0x7F and 0xFF are NaN).
    private static let e4m3: [Float] = (0..<256).map { code in
        let (exponent, mantissa) = (code >> 3 & 15, code & 7)
        if code & 127 == 127 { return .nan }
        let magnitude =
            exponent == 0
            ? Float(mantissa) * 0x1p-9
            : (1 + Float(mantissa) / 8) * Float(sign: .plus, exponent: exponent - 7, significand: 1)
        return code >= 128 ? -magnitude : magnitude
    }

    func tensor() throws -> Tensor {
        let layout = self
        return try module.make(rows: weight.shape[0], columns: weight.shape[1]) { rows, values in
            for row in rows {
                let first = row / layout.height * layout.across
                let start = (row - rows.lowerBound) * layout.weight.rowLength
                try layout.weight.withBytes(rows: row..<row + 1) { bytes in
                    for column in 0..<bytes.byteCount {
                        let value = layout.decode(bytes.loadLittleEndian(column, as: UInt8.self))
                        values[start + column] = value * layout.scales[first + column / layout.width]
                    }
                }
            }
        }
    }
}

/// bitsandbytes 4-bit: codes of the flattened weight, high nibble first, each looked up in `quant_map` and multiplied
/// by its block's `absmax`, which may itself be quantized in blocks of 256.
struct NormalFloat: QuantizedLayout {
    static let endings = [
        ".weight", ".weight.absmax", ".weight.quant_map", ".weight.nested_absmax", ".weight.nested_quant_map",
        ".weight.quant_state.bitsandbytes__nf4", ".weight.quant_state.bitsandbytes__fp4",
    ]

    private let module: QuantizedModule
    private let codes: Tensor
    private let map: [Float]
    private let maxima: [Float]
    private let blockSize: Int
    private let shape: [Int]

    init(_ module: QuantizedModule) throws {
        self.module = module
        codes = try module.required(".weight")
        let stateTensor =
            try module.optional(".weight.quant_state.bitsandbytes__nf4")
            ?? module.required(".weight.quant_state.bitsandbytes__fp4")
        guard stateTensor.type == .u8, stateTensor.byteCount <= 1 << 16, codes.type == .u8 else {
            throw module.problem("the codes and their state must be U8")
        }
        let text = try stateTensor.withBytes(rows: 0..<stateTensor.rowCount) { $0.copied() }
        let state = Setting(try JSONDocument(MappedFile(bytes: text, name: stateTensor.name)).root)
        let stated =
            state[path: "shape"]?.arrayValue?.compactMap { $0.numberValue.flatMap { Int(exactly: $0) } } ?? []
        blockSize = state[path: "blocksize"]?.numberValue.flatMap { Int(exactly: $0) } ?? 64
        guard stated.count == 2, stated.allSatisfy({ (1...1 << 30).contains($0) }), (2...1 << 20).contains(blockSize),
            stated[0] * stated[1] == codes.elementCount * 2
        else {
            throw module.problem("the state's shape \(stated) does not fit \(codes.elementCount) bytes of codes")
        }
        shape = stated
        map = try module.required(".weight.quant_map").plainValues()
        guard map.count == 16 else { throw module.problem("quant_map has \(map.count) entries, expected 16") }
        let absmax = try module.required(".weight.absmax")
        let count = (stated[0] * stated[1] + blockSize - 1) / blockSize
        guard absmax.elementCount == count else {
            throw module.problem("absmax has \(absmax.elementCount) entries, expected \(count)")
        }
        guard absmax.type == .u8 else {
            maxima = try absmax.plainValues()
            return
        }
        let nestedMap = try module.required(".weight.nested_quant_map").plainValues()
        let nestedMaxima = try module.required(".weight.nested_absmax").plainValues()
        let nestedSize = state[path: "nested_blocksize"]?.numberValue.flatMap { Int(exactly: $0) } ?? 256
        let offset = Float(state[path: "nested_offset"]?.numberValue ?? 0)
        guard nestedMap.count == 256, nestedSize > 0, nestedMaxima.count >= (count + nestedSize - 1) / nestedSize
        else {
            throw module.problem("the nested scales do not fit")
        }
        maxima = try absmax.withBytes(rows: 0..<absmax.rowCount) { bytes in
            (0..<count).map { index in
                nestedMap[Int(bytes.loadLittleEndian(index, as: UInt8.self))] * nestedMaxima[index / nestedSize]
                    + offset
            }
        }
    }

    func tensor() throws -> Tensor {
        let layout = self
        let columns = shape[1]
        return try module.make(rows: shape[0], columns: columns) { rows, values in
            let start = rows.lowerBound * columns
            try layout.codes.withBytes(rows: 0..<layout.codes.rowCount) { bytes in
                for element in start..<rows.upperBound * columns {
                    let byte = bytes.loadLittleEndian(element / 2, as: UInt8.self)
                    let code = element % 2 == 0 ? byte >> 4 : byte & 15
                    values[element - start] = layout.map[Int(code)] * layout.maxima[element / layout.blockSize]
                }
            }
        }
    }
}
