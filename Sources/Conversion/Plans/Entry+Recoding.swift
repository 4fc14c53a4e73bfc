import Kernels
public import ModelGraph
public import TensorFiles

extension ConversionPlan.Entry {
    /// A tensor in another element type: decoded to F32, encoded by the reference rule of the type.
    ///
    /// - Parameter steps: what else happens to it, for the fate.
    public static func recoding(
        _ tensor: Tensor, as name: String, to type: ElementType, role: TensorRole?, steps: [String] = []
    ) throws -> ConversionPlan.Entry {
        let fate =
            ([tensor.type == type ? "\(type.rawValue) kept" : "\(tensor.type.rawValue) to \(type.rawValue)"] + steps)
            .joined(separator: ", ")
        if tensor.type == type { return try .init(copying: tensor, as: name, role: role, fate: fate) }
        guard BlockCodec.canDecode(tensor.type), BlockCodec.canEncode(type, .nearest) else {
            throw ConversionError.noCodec(tensor: tensor.name, from: tensor.type, to: type)
        }
        let maker: RowMaker = { rows in try recode(tensor, rows, to: type) }
        return .init(
            try TensorDeclaration(name: name, shape: tensor.shape, type: type), role: role,
            rows: .made(preparationBytes: 0, rowBytes: tensor.rowByteCount, prepare: { maker }),
            sourceType: tensor.type, sourceByteCount: tensor.byteCount, fate: fate)
    }

    /// All values of a small tensor, as they will be written.
    func values() throws -> [Float] {
        switch rows {
        case .copied(let tensor): return try tensor.floats()
        case .made(_, _, let prepare):
            let count = declaration.shape.reduce(1, *)
            let rowCount = declaration.shape.dropLast().reduce(1, *)
            let bytes = try prepare()(0..<rowCount)
            return try BlockCodec.decode(declaration.type, unsafe bytes.span.bytes, count: count)
        }
    }

    /// Decodes and encodes a few rows at a time, so that the floats between stay in the processor's cache.
    private static func recode(_ tensor: Tensor, _ rows: Range<Int>, to type: ElementType) throws -> [UInt8] {
        let length = tensor.rowLength
        let step = max(1, 16_384 / max(1, length))
        var values = [Float](repeating: 0, count: min(step, rows.count) * length)
        var result: [UInt8] = []
        try tensor.withBytes(rows: rows) { bytes in
            for start in stride(from: 0, to: rows.count, by: step) {
                let count = min(step, rows.count - start)
                if values.count != count * length { values = [Float](repeating: 0, count: count * length) }
                let source = bytes.extracting(start * tensor.rowByteCount..<(start + count) * tensor.rowByteCount)
                var span = values.mutableSpan
                try BlockCodec.decode(tensor.type, source, into: &span)
                let encoded = try BlockCodec.encode(type, .nearest, values, rowLength: length)
                if start == 0 { result.reserveCapacity((rows.count + count - 1) / count * encoded.count) }
                result += encoded
            }
        }
        tensor.source.release(rows: rows, rowByteCount: tensor.rowByteCount)
        return result
    }
}
