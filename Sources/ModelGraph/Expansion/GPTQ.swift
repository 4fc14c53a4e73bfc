import TensorFiles

/// GPTQ (AutoGPTQ, GPTQModel), formats and traps in formats/checkpoints.md, CK-10 to CK-14.
///
/// `qweight` [I · b / 32, O] packs along the input, `qzeros` [G, O · b / 32] along the output, `scales` [G, O]; the
/// group of input i is `g_idx[i]`. W[o, i] = scales[g, o] · (q[i, o] − z[g, o]).
struct GPTQ: QuantizedLayout {
    static let endings = [".qweight", ".qzeros", ".scales", ".g_idx"]

    private let module: QuantizedModule
    private let bits: Int
    private let codes: Tensor
    private let inputs: Int
    private let outputs: Int
    private let groups: Int
    private let scales: [Float]
    /// [G, O]
    private let zeros: [Int16]
    private let groupOfInput: [Int32]

    init(_ module: QuantizedModule) throws {
        self.module = module
        bits = module.integer("bits") ?? 4
        guard [2, 3, 4, 8].contains(bits) else {
            throw module.problem("\(bits) bits are not supported, only 2, 3, 4 and 8")
        }
        codes = try module.required(".qweight", dimensions: 2)
        let scaleTensor = try module.required(".scales", dimensions: 2)
        let zeroTensor = try module.required(".qzeros", dimensions: 2)
        guard codes.type == .i32 || codes.type == .u32 else {
            throw module.problem("qweight is \(codes.type.rawValue)")
        }
        inputs = codes.shape[0] * 32 / bits
        outputs = codes.shape[1]
        groups = scaleTensor.shape[0]
        try module.expect(scaleTensor, [groups, outputs])
        guard codes.shape[0] * 32 % bits == 0, outputs * bits % 32 == 0, groups > 0 else {
            throw module.problem("qweight of shape \(codes.shape) does not hold whole rows of \(bits)-bit codes")
        }
        try module.expect(zeroTensor, [groups, outputs * bits / 32])
        scales = try scaleTensor.plainValues()
        // Files of the first version store z − 1.
        let format = module.settings[path: "checkpoint_format"]?.stringValue ?? "gptq"
        guard format == "gptq" || format == "gptq_v2" else {
            throw module.problem("checkpoint_format \"\(format)\" is not supported, only gptq and gptq_v2")
        }
        let offset = format == "gptq" ? 1 : 0
        let (bits, outputs) = (bits, outputs)
        var zeros: [Int16] = []
        zeros.reserveCapacity(groups * outputs)
        try zeroTensor.forEachRun { rows, bytes in
            for row in 0..<rows.count {
                for output in 0..<outputs {
                    let code = BitStream.code(output, bits: bits, in: bytes, at: row * outputs * bits / 8)
                    zeros.append(Int16((code + offset) & ((1 << bits) - 1)))
                }
            }
        }
        self.zeros = zeros
        if let index = module.optional(".g_idx") {
            try module.expect(index, [inputs])
            groupOfInput = try index.integers32()
        } else {
            let stated = module.integer("group_size") ?? -1
            let size = stated > 0 ? stated : inputs
            guard (inputs + size - 1) / size == groups else {
                throw module.problem("\(groups) groups for \(inputs) inputs in groups of \(size)")
            }
            groupOfInput = (0..<inputs).map { Int32($0 / size) }
        }
        let last = Int32(groups)
        guard groupOfInput.allSatisfy({ $0 >= 0 && $0 < last }) else {
            throw module.problem("g_idx names a group beyond the \(groups) there are")
        }
    }

    func tensor() throws -> Tensor {
        let layout = self
        return try module.make(rows: outputs, columns: inputs) { rows, values in
            try layout.codes.withBytes(rows: 0..<layout.codes.rowCount) { bytes in
                // Outputs lie side by side, so they are the inner loop.
                for input in 0..<layout.inputs {
                    let group = Int(layout.groupOfInput[input]) * layout.outputs
                    for row in rows {
                        let code = layout.code(input, row, bytes)
                        values[(row - rows.lowerBound) * layout.inputs + input] =
                            layout.scales[group + row] * Float(code - Int(layout.zeros[group + row]))
                    }
                }
            }
        }
    }

    /// The bits of input `input` start at bit `input · bits` of the column of words that belongs to the output.
    private func code(_ input: Int, _ output: Int, _ bytes: RawSpan) -> Int {
        let bit = input * bits
        let (word, shift) = (bit / 32, bit % 32)
        var value = UInt64(bytes.loadLittleEndian((word * outputs + output) * 4, as: UInt32.self))
        if shift + bits > 32 {
            value |= UInt64(bytes.loadLittleEndian(((word + 1) * outputs + output) * 4, as: UInt32.self)) << 32
        }
        return Int(value >> UInt64(shift)) & ((1 << bits) - 1)
    }
}

/// AWQ, GEMM layout: 4 bits, packed along the output in a shuffled order. W[o, i] = scales[g, o] · (q[i, o] − z[g, o]).
struct AWQ: QuantizedLayout {
    static let endings = [".qweight", ".qzeros", ".scales"]
    /// Which nibble of a word holds output `8c + j`.
    private static let nibble = [0, 4, 1, 5, 2, 6, 3, 7]

    private let module: QuantizedModule
    private let codes: Tensor
    private let inputs: Int
    private let outputs: Int
    private let groupSize: Int
    private let scales: [Float]
    private let zeros: [UInt8]

    init(_ module: QuantizedModule) throws {
        self.module = module
        if let bits = module.integer("bits"), bits != 4 {
            throw module.problem("\(bits) bits are not supported, only 4")
        }
        codes = try module.required(".qweight", dimensions: 2)
        let scaleTensor = try module.required(".scales", dimensions: 2)
        guard codes.type == .i32 || codes.type == .u32 else {
            throw module.problem("qweight is \(codes.type.rawValue)")
        }
        inputs = codes.shape[0]
        outputs = codes.shape[1] * 8
        let groups = scaleTensor.shape[0]
        guard groups > 0, inputs % groups == 0 else { throw module.problem("\(groups) groups for \(inputs) inputs") }
        groupSize = inputs / groups
        try module.expect(scaleTensor, [groups, outputs])
        scales = try scaleTensor.plainValues()
        let outputs = outputs
        if let zeroTensor = module.optional(".qzeros") {
            try module.expect(zeroTensor, [groups, outputs / 8])
            var zeros: [UInt8] = []
            zeros.reserveCapacity(groups * outputs)
            try zeroTensor.forEachRun { rows, bytes in
                for row in 0..<rows.count {
                    for output in 0..<outputs { zeros.append(Self.code(output, bytes, at: row * outputs / 2)) }
                }
            }
            self.zeros = zeros
        } else {
            zeros = [UInt8](repeating: 8, count: groups * outputs)
        }
    }

    private static func code(_ output: Int, _ bytes: RawSpan, at offset: Int) -> UInt8 {
        let word = bytes.loadLittleEndian(offset + output / 8 * 4, as: UInt32.self)
        return UInt8(truncatingIfNeeded: word >> UInt32(4 * nibble[output % 8])) & 15
    }

    func tensor() throws -> Tensor {
        let layout = self
        return try module.make(rows: outputs, columns: inputs) { rows, values in
            try layout.codes.withBytes(rows: 0..<layout.codes.rowCount) { bytes in
                for input in 0..<layout.inputs {
                    let group = input / layout.groupSize * layout.outputs
                    for row in rows {
                        let code = Int(Self.code(row, bytes, at: input * layout.outputs / 2))
                        values[(row - rows.lowerBound) * layout.inputs + input] =
                            layout.scales[group + row] * Float(code - Int(layout.zeros[group + row]))
                    }
                }
            }
        }
    }
}
