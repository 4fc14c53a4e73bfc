package import CKernels
public import TensorFiles

/// Element types as rows of bytes, and back. Decoding gives bit for bit what gguf-py's dequantization gives
/// (formats/ggml-blocks.md); it never depends on the instruction set.
public enum BlockCodec {
    /// Whether elements of the type can be read as real numbers: all but complex ones.
    public static func canDecode(_ type: ElementType) -> Bool { number(of: type) != nil }

    /// Decodes whole blocks to float32. `bytes` holds exactly `output.count` elements, at any alignment.
    public static func decode(
        _ type: ElementType, _ bytes: RawSpan, into output: inout MutableSpan<Float>
    ) throws(KernelError) {
        guard let number = number(of: type) else { throw .undecodable(type) }
        guard type.byteCount(elements: output.count) == bytes.byteCount else {
            throw .wrongByteCount(type, elements: output.count, bytes: bytes.byteCount)
        }
        let count = output.count
        guard count > 0 else { return }
        let decoded = unsafe bytes.withUnsafeBytes { source in
            unsafe output.withUnsafeMutableBufferPointer { target in
                unsafe ft_decode_row(number, source.baseAddress, target.baseAddress, count)
            }
        }
        precondition(decoded, "the kernels lack a type of their own table")
    }

    /// Decodes `count` elements into a new array.
    public static func decode(_ type: ElementType, _ bytes: RawSpan, count: Int) throws(KernelError) -> [Float] {
        guard type.byteCount(elements: count) == bytes.byteCount else {
            throw .wrongByteCount(type, elements: count, bytes: bytes.byteCount)
        }
        var result = [Float](repeating: 0, count: count)
        var span = result.mutableSpan
        try decode(type, bytes, into: &span)
        return result
    }

    /// The kernels' number of a type: ggml's own, or one past 255 for what only safetensors knows.
    package static func number(of type: ElementType) -> ft_type? {
        if let identifier = type.ggmlIdentifier { return ft_type(rawValue: identifier) }
        return switch type {
        case .bool: FT_BOOL
        case .u8: FT_U8
        case .u16: FT_U16
        case .u32: FT_U32
        case .u64: FT_U64
        case .f8E4M3: FT_F8_E4M3
        case .f8E5M2: FT_F8_E5M2
        case .f8E8M0: FT_F8_E8M0
        case .f8E4M3FNUZ: FT_F8_E4M3FNUZ
        case .f8E5M2FNUZ: FT_F8_E5M2FNUZ
        case .f6E2M3: FT_F6_E2M3
        case .f6E3M2: FT_F6_E3M2
        case .f4: FT_F4
        default: nil
        }
    }
}

extension Tensor {
    /// The values of some rows, `rows.count` × `rowLength` of them.
    public func floats(rows: Range<Int>) throws -> [Float] {
        try withBytes(rows: rows) { bytes in
            try BlockCodec.decode(type, bytes, count: rows.count * rowLength)
        }
    }

    /// All values, outermost dimension first. For tensors known to be small.
    public func floats() throws -> [Float] { try floats(rows: 0..<rowCount) }
}
