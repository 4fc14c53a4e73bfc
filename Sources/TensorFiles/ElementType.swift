/// How many elements one indivisible block of a tensor row holds, and in how many bytes.
public struct BlockGeometry: Hashable, Sendable {
    public let elements: Int
    public let bytes: Int

    public init(elements: Int, bytes: Int) {
        self.elements = elements
        self.bytes = bytes
    }
}

/// The storage type of a tensor's elements: every type of safetensors and of ggml, once.
///
/// `rawValue` is the type's name as its own format spells it (`"F8_E4M3"`, `"Q4_K"`).
/// Sources: formats/safetensors.md, formats/ggml-blocks.md.
// swift-format-ignore: AlwaysUseLowerCamelCase
public enum ElementType: String, CaseIterable, Hashable, Sendable, Codable {
    // Plain types that both formats, or safetensors alone, know.
    case bool = "BOOL"
    case u8 = "U8"
    case i8 = "I8"
    case u16 = "U16"
    case i16 = "I16"
    case u32 = "U32"
    case i32 = "I32"
    case u64 = "U64"
    case i64 = "I64"
    case f16 = "F16"
    case bf16 = "BF16"
    case f32 = "F32"
    case f64 = "F64"
    case c64 = "C64"
    case f8E4M3 = "F8_E4M3"
    case f8E5M2 = "F8_E5M2"
    case f8E8M0 = "F8_E8M0"
    case f8E4M3FNUZ = "F8_E4M3FNUZ"
    case f8E5M2FNUZ = "F8_E5M2FNUZ"
    case f6E2M3 = "F6_E2M3"
    case f6E3M2 = "F6_E3M2"
    case f4 = "F4"
    // Block types of ggml.
    case q4_0 = "Q4_0"
    case q4_1 = "Q4_1"
    case q5_0 = "Q5_0"
    case q5_1 = "Q5_1"
    case q8_0 = "Q8_0"
    case q8_1 = "Q8_1"
    case q2_K = "Q2_K"
    case q3_K = "Q3_K"
    case q4_K = "Q4_K"
    case q5_K = "Q5_K"
    case q6_K = "Q6_K"
    case q8_K = "Q8_K"
    case iq1_S = "IQ1_S"
    case iq1_M = "IQ1_M"
    case iq2_XXS = "IQ2_XXS"
    case iq2_XS = "IQ2_XS"
    case iq2_S = "IQ2_S"
    case iq3_XXS = "IQ3_XXS"
    case iq3_S = "IQ3_S"
    case iq4_NL = "IQ4_NL"
    case iq4_XS = "IQ4_XS"
    case tq1_0 = "TQ1_0"
    case tq2_0 = "TQ2_0"
    case mxfp4 = "MXFP4"
    case nvfp4 = "NVFP4"
    case q1_0 = "Q1_0"
    case q2_0 = "Q2_0"
}

extension ElementType {
    /// The smallest run of elements that fills whole bytes; rows of a tensor are whole numbers of blocks.
    public var block: BlockGeometry {
        switch self {
        case .bool, .u8, .i8, .f8E4M3, .f8E5M2, .f8E8M0, .f8E4M3FNUZ, .f8E5M2FNUZ: .init(elements: 1, bytes: 1)
        case .u16, .i16, .f16, .bf16: .init(elements: 1, bytes: 2)
        case .u32, .i32, .f32: .init(elements: 1, bytes: 4)
        case .u64, .i64, .f64, .c64: .init(elements: 1, bytes: 8)
        case .f6E2M3, .f6E3M2: .init(elements: 4, bytes: 3)
        case .f4: .init(elements: 2, bytes: 1)
        case .q4_0: .init(elements: 32, bytes: 18)
        case .q4_1: .init(elements: 32, bytes: 20)
        case .q5_0: .init(elements: 32, bytes: 22)
        case .q5_1: .init(elements: 32, bytes: 24)
        case .q8_0: .init(elements: 32, bytes: 34)
        case .q8_1: .init(elements: 32, bytes: 36)
        case .q2_K: .init(elements: 256, bytes: 84)
        case .q3_K: .init(elements: 256, bytes: 110)
        case .q4_K: .init(elements: 256, bytes: 144)
        case .q5_K: .init(elements: 256, bytes: 176)
        case .q6_K: .init(elements: 256, bytes: 210)
        case .q8_K: .init(elements: 256, bytes: 292)
        case .iq1_S: .init(elements: 256, bytes: 50)
        case .iq1_M: .init(elements: 256, bytes: 56)
        case .iq2_XXS: .init(elements: 256, bytes: 66)
        case .iq2_XS: .init(elements: 256, bytes: 74)
        case .iq2_S: .init(elements: 256, bytes: 82)
        case .iq3_XXS: .init(elements: 256, bytes: 98)
        case .iq3_S: .init(elements: 256, bytes: 110)
        case .iq4_NL: .init(elements: 32, bytes: 18)
        case .iq4_XS: .init(elements: 256, bytes: 136)
        case .tq1_0: .init(elements: 256, bytes: 54)
        case .tq2_0: .init(elements: 256, bytes: 66)
        case .mxfp4: .init(elements: 32, bytes: 17)
        case .nvfp4: .init(elements: 64, bytes: 36)
        case .q1_0: .init(elements: 128, bytes: 18)
        case .q2_0: .init(elements: 64, bytes: 18)
        }
    }

    /// ggml's number for the type, as a GGUF file stores it; `nil` for types GGUF cannot hold.
    public var ggmlIdentifier: UInt32? {
        switch self {
        case .f32: 0
        case .f16: 1
        case .q4_0: 2
        case .q4_1: 3
        case .q5_0: 6
        case .q5_1: 7
        case .q8_0: 8
        case .q8_1: 9
        case .q2_K: 10
        case .q3_K: 11
        case .q4_K: 12
        case .q5_K: 13
        case .q6_K: 14
        case .q8_K: 15
        case .iq2_XXS: 16
        case .iq2_XS: 17
        case .iq3_XXS: 18
        case .iq1_S: 19
        case .iq4_NL: 20
        case .iq3_S: 21
        case .iq2_S: 22
        case .iq4_XS: 23
        case .i8: 24
        case .i16: 25
        case .i32: 26
        case .i64: 27
        case .f64: 28
        case .iq1_M: 29
        case .bf16: 30
        case .tq1_0: 34
        case .tq2_0: 35
        case .mxfp4: 39
        case .nvfp4: 40
        case .q1_0: 41
        case .q2_0: 42
        default: nil
        }
    }

    private static let byGGMLIdentifier: [UInt32: ElementType] = Dictionary(
        uniqueKeysWithValues: allCases.compactMap { type in type.ggmlIdentifier.map { ($0, type) } })

    public init?(ggmlIdentifier: UInt32) {
        guard let type = Self.byGGMLIdentifier[ggmlIdentifier] else { return nil }
        self = type
    }

    /// Bytes of a run of `elements`, or `nil` when they do not fill whole blocks or the product overflows.
    public func byteCount(elements: Int) -> Int? {
        guard elements >= 0, elements % block.elements == 0 else { return nil }
        let (bytes, overflow) = (elements / block.elements).multipliedReportingOverflow(by: block.bytes)
        return overflow ? nil : bytes
    }

    /// True for the types with several elements in one byte that share nothing else.
    public var isSubByte: Bool { self == .f4 || self == .f6E2M3 || self == .f6E3M2 }

    /// True for the types a safetensors file can hold.
    public var isSafetensors: Bool { block.bytes <= 8 && (block.elements == 1 || isSubByte) }

    /// True for the types whose elements share a scale with their neighbours.
    public var isQuantized: Bool { ggmlIdentifier != nil && block.elements > 1 }
}
