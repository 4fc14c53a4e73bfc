/// Where the blocks of a type keep their scales, and how far values can be from zero at a scale of one.
/// The table is that of formats/ggml-blocks.md.
public struct BlockScales: Hashable, Sendable {
    public enum Field: Hashable, Sendable {
        /// Half-precision numbers at these byte offsets of a block.
        case half([Int])
        case single(Int)
        /// A power of two, 2^(byte - 127), at this offset; 255 is not a number.
        case exponent(Int)
        /// Unsigned 8-bit floats (E4M3) at these offsets; 127 is not a number.
        case unsignedE4M3(Range<Int>)
        /// IQ1_M: a half-precision number whose four nibbles are the high nibbles of four 16-bit words here.
        case spreadHalf(Int)
    }

    public let field: Field
    /// The largest magnitude of an element whose block has the scale 1.
    public let reach: Float

    init(_ field: Field, reach: Float) {
        self.field = field
        self.reach = reach
    }
}

extension ElementType {
    /// `nil` for types whose elements stand alone.
    public var scales: BlockScales? {
        switch self {
        case .q4_0: .init(.half([0]), reach: 8)
        case .q4_1: .init(.half([0, 2]), reach: 15)
        case .q5_0: .init(.half([0]), reach: 16)
        case .q5_1: .init(.half([0, 2]), reach: 31)
        case .q8_0: .init(.half([0]), reach: 128)
        case .q8_1: .init(.half([0]), reach: 128)
        case .q2_K: .init(.half([80, 82]), reach: 45)
        case .q3_K: .init(.half([108]), reach: 128)
        case .q4_K: .init(.half([0, 2]), reach: 945)
        case .q5_K: .init(.half([0, 2]), reach: 1953)
        case .q6_K: .init(.half([208]), reach: 4096)
        case .q8_K: .init(.single(0), reach: 128)
        case .iq2_XXS, .iq2_XS, .iq2_S: .init(.half([0]), reach: 166.625)
        case .iq3_XXS: .init(.half([0]), reach: 480.5)
        case .iq3_S: .init(.half([0]), reach: 465)
        case .iq1_S: .init(.half([0]), reach: 16.875)
        case .iq1_M: .init(.spreadHalf(48), reach: 16.875)
        case .iq4_NL: .init(.half([0]), reach: 127)
        case .iq4_XS: .init(.half([0]), reach: 4064)
        case .tq1_0: .init(.half([52]), reach: 1)
        case .tq2_0: .init(.half([64]), reach: 2)
        case .mxfp4: .init(.exponent(0), reach: 6)
        case .nvfp4: .init(.unsignedE4M3(0..<4), reach: 6)
        case .q1_0: .init(.half([0]), reach: 1)
        case .q2_0: .init(.half([0]), reach: 2)
        default: nil
        }
    }
}
