import TensorFiles

/// compressed-tensors "pack-quantized": `weight_packed` [O, ⌈I·b/32⌉] stores q + 2^(b−1) along the input,
/// `weight_scale` [O, G] or [O, 1], `weight_zero_point` packed along the output, `weight_g_idx` with activation order.
/// W = (q − z) · scale.
struct PackedIntegers: QuantizedLayout {
    static let endings = [
        ".weight_packed", ".weight_scale", ".weight_shape", ".weight_zero_point", ".weight_g_idx",
    ]

    private let module: QuantizedModule
    private let bits: Int
    private let codes: Tensor
    private let rows: Int
    private let columns: Int
    private let groups: Int
    private let scales: [Float]
    /// [O, G]
    private let zeros: [Int16]?
    private let groupOfColumn: [Int32]

    init(_ module: QuantizedModule) throws {
        self.module = module
        codes = try module.required(".weight_packed", dimensions: 2)
        let scaleTensor = try module.required(".weight_scale", dimensions: 2)
        let shape = try Self.shape(module)
        (rows, columns) = (shape[0], shape[1])
        groups = scaleTensor.shape[1]
        try module.expect(scaleTensor, [rows, groups])
        guard codes.type == .i32 || codes.type == .u32, codes.shape[0] == rows, columns > 0 else {
            throw module.problem("weight_packed is \(codes.type.rawValue) of shape \(codes.shape)")
        }
        let stated = Self.bits(of: module)
        guard (1...8).contains(stated), codes.shape[1] == (columns * stated + 31) / 32 else {
            throw module.problem(
                "weight_packed of shape \(codes.shape) does not hold rows of \(columns) codes of \(stated) bits")
        }
        bits = stated
        scales = try scaleTensor.plainValues()
        if let index = module.optional(".weight_g_idx") {
            try module.expect(index, [columns])
            groupOfColumn = try index.integers32()
        } else {
            guard groups > 0, columns % groups == 0 else {
                throw module.problem("\(groups) groups for \(columns) columns")
            }
            let size = columns / groups
            groupOfColumn = (0..<columns).map { Int32($0 / size) }
        }
        let last = Int32(groups)
        guard groupOfColumn.allSatisfy({ $0 >= 0 && $0 < last }) else {
            throw module.problem("weight_g_idx names a group beyond the \(groups) there are")
        }
        guard let zeroTensor = module.optional(".weight_zero_point") else {
            zeros = nil
            return
        }
        try module.expect(zeroTensor, [(rows * stated + 31) / 32, groups])
        let words = try zeroTensor.integers32().map { UInt32(bitPattern: $0) }
        let groups = groups
        zeros = (0..<rows).flatMap { row in
            (0..<groups).map { group in
                let (word, shift) = (row * stated / 32, row * stated % 32)
                var value = UInt64(words[word * groups + group])
                if shift + stated > 32 { value |= UInt64(words[(word + 1) * groups + group]) << 32 }
                return Int16(Int(value >> UInt64(shift)) & ((1 << stated) - 1)) - Int16(1 << (stated - 1))
            }
        }
    }

    private static func shape(_ module: QuantizedModule) throws -> [Int] {
        let tensor = try module.required(".weight_shape")
        guard tensor.elementCount == 2, tensor.type == .i64 || tensor.type == .i32 else {
            throw module.problem("weight_shape must hold two integers")
        }
        let size = tensor.type == .i64 ? 8 : 4
        var shape: [Int] = []
        try tensor.forEachRun { _, bytes in
            for offset in stride(from: 0, to: bytes.byteCount, by: size) {
                shape.append(
                    size == 8
                        ? Int(bytes.loadLittleEndian(offset, as: Int64.self))
                        : Int(bytes.loadLittleEndian(offset, as: Int32.self)))
            }
        }
        guard shape.allSatisfy({ $0 >= 0 && $0 <= 1 << 30 }) else { throw module.problem("weight_shape is absurd") }
        return shape
    }

    /// From the group whose targets fit; with one group there is no question.
    private static func bits(of module: QuantizedModule) -> Int {
        let groups = module.settings[path: "config_groups"]?.objectValue ?? [:]
        let fitting = groups.sorted { $0.key < $1.key }.first { _, group in
            groups.count == 1
                || (group[path: "targets"]?.arrayValue ?? []).contains { target in
                    target.stringValue.map { module.name == $0 || module.name.hasSuffix("." + $0) } ?? false
                }
        }
        return fitting?.value[path: "weights.num_bits"]?.numberValue.flatMap { Int(exactly: $0) } ?? 4
    }

    func tensor() throws -> Tensor {
        let layout = self
        let offset = 1 << (bits - 1)
        return try module.make(rows: rows, columns: columns) { rows, values in
            for row in rows {
                let first = (row - rows.lowerBound) * layout.columns
                try layout.codes.withBytes(rows: row..<row + 1) { bytes in
                    for column in 0..<layout.columns {
                        let group = row * layout.groups + Int(layout.groupOfColumn[column])
                        let code = BitStream.code(column, bits: layout.bits, in: bytes) - offset
                        values[first + column] = layout.scales[group] * Float(code - Int(layout.zeros?[group] ?? 0))
                    }
                }
            }
        }
    }
}

/// MLX's affine layout: `weight` U32 [O, I·b/32] is a stream of bits along the row, W = scale · q + bias with
/// `scales` and `biases` [O, I/g]. Bits and group follow from the shapes and `group_size`.
struct MLXAffine: QuantizedLayout {
    static let endings = [".weight", ".scales", ".biases"]

    private let module: QuantizedModule
    private let bits: Int
    private let groupSize: Int
    private let codes: Tensor
    private let columns: Int
    private let scales: [Float]
    private let biases: [Float]

    init(_ module: QuantizedModule) throws {
        self.module = module
        codes = try module.required(".weight", dimensions: 2)
        let scaleTensor = try module.required(".scales", dimensions: 2)
        let biasTensor = try module.required(".biases", dimensions: 2)
        guard codes.type == .u32 else { throw module.problem("weight is \(codes.type.rawValue), expected U32") }
        let own = module.settings.objectValue?[module.name]
        groupSize =
            own?[path: "group_size"]?.numberValue.flatMap { Int(exactly: $0) } ?? module.integer("group_size") ?? 64
        guard (1...1024).contains(groupSize), scaleTensor.shape[1] > 0, scaleTensor.shape[1] < 1 << 24 else {
            throw module.problem("groups of \(groupSize) are not supported")
        }
        columns = scaleTensor.shape[1] * groupSize
        bits = codes.shape[1] * 32 / columns
        guard [2, 3, 4, 5, 6, 8].contains(bits), codes.shape[1] * 32 == columns * bits else {
            throw module.problem("rows of \(codes.shape[1]) words do not hold \(columns) codes")
        }
        try module.expect(scaleTensor, [codes.shape[0], scaleTensor.shape[1]])
        try module.expect(biasTensor, scaleTensor.shape)
        scales = try scaleTensor.plainValues()
        biases = try biasTensor.plainValues()
    }

    func tensor() throws -> Tensor {
        let layout = self
        let groups = columns / groupSize
        return try module.make(rows: codes.shape[0], columns: columns) { rows, values in
            for row in rows {
                let first = (row - rows.lowerBound) * layout.columns
                try layout.codes.withBytes(rows: row..<row + 1) { bytes in
                    for column in 0..<layout.columns {
                        let group = row * groups + column / layout.groupSize
                        let code = BitStream.code(column, bits: layout.bits, in: bytes)
                        values[first + column] = layout.scales[group] * Float(code) + layout.biases[group]
                    }
                }
            }
        }
    }
}
