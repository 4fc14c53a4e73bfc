package import CKernels
public import TensorFiles

/// How groups of a row's columns share a scale that is stored apart from their codes, as the Hub's quantized layouts
/// do (formats/quantized-safetensors.md).
public struct GroupFormat: Sendable, Hashable {
    public enum Kind: String, Sendable, CaseIterable {
        /// scale · q + offset.
        case affine
        /// scale · (q − offset), where the offset is a code.
        case zeroPoint
        /// scale · (q − 2^(bits − 1)).
        case symmetric

        package var number: ft_group_kind {
            switch self {
            case .affine: FT_GROUP_AFFINE
            case .zeroPoint: FT_GROUP_ZERO_POINT
            case .symmetric: FT_GROUP_SYMMETRIC
            }
        }
    }

    public let kind: Kind
    /// 4 or 8.
    public let bits: Int
    /// Columns that share a scale; `nil`: the whole row.
    public let groupSize: Int?
    /// What scales, and affine offsets, are stored in: F32, F16 or BF16.
    public let scaleType: ElementType
    public let hasPositiveScales: Bool

    public init(
        _ kind: Kind, bits: Int, groupSize: Int?, scaleType: ElementType, hasPositiveScales: Bool = false
    ) {
        precondition(bits == 4 || bits == 8, "codes of 4 or 8 bits")
        precondition([.f32, .f16, .bf16].contains(scaleType), "scales are plain floats")
        self.kind = kind
        self.bits = bits
        self.groupSize = groupSize
        self.scaleType = scaleType
        self.hasPositiveScales = hasPositiveScales
    }

    /// Groups in a row of `columns`; `nil` where rows are no whole groups or their codes no whole bytes.
    public func groups(inRowOf columns: Int) -> Int? {
        let size = groupSize ?? columns
        guard size > 0, size <= 1 << 24, columns > 0, columns % size == 0, columns * bits % 8 == 0 else { return nil }
        return columns / size
    }

    /// Bytes of the codes of a row.
    public func codeBytes(inRowOf columns: Int) -> Int { columns * bits / 8 }

    package func number(columns: Int) -> ft_group_format {
        ft_group_format(
            kind: kind.number, bits: Int32(bits), group: groupSize ?? columns,
            stored: scaleType == .f32 ? FT_F32 : scaleType == .f16 ? FT_F16 : FT_BF16, positive: hasPositiveScales)
    }
}

/// Rows as codes and what they stand for.
public struct EncodedGroups: Sendable, Hashable {
    /// Each row's stream of codes, the lowest bits first.
    public internal(set) var codes: [UInt8]
    /// rows × groups, values that the format's scale type holds exactly.
    public internal(set) var scales: [Float]
    /// The same for offsets; zeros for a symmetric format.
    public internal(set) var offsets: [Float]

    init(codes: [UInt8], scales: [Float], offsets: [Float]) {
        self.codes = codes
        self.scales = scales
        self.offsets = offsets
    }

    /// No rows yet.
    public init() { self.init(codes: [], scales: [], offsets: []) }

    /// Adds the rows of `other` behind.
    public mutating func append(_ other: EncodedGroups) {
        codes += other.codes
        scales += other.scales
        offsets += other.offsets
    }
}
