public import Kernels
public import TensorFiles

/// A quantized layout of Hub directories that we write, as one runtime or another reads it:
/// formats/quantized-safetensors.md.
public struct HubLayout: Sendable, Hashable {
    public enum Scheme: String, Sendable, CaseIterable {
        /// MLX affine.
        case mlxQ4 = "mlx_q4"
        case mlxQ8 = "mlx_q8"
        /// compressed-tensors: integer weights in groups, activations as they are.
        case w4a16
        /// compressed-tensors: integer weights with a scale for each row, activations in 8 bits as they come.
        case w8a8
        /// GPTQ, the second version of its format.
        case gptqQ4 = "gptq_q4"
    }

    public let scheme: Scheme
    /// Columns that share a scale; `nil`: the whole row.
    public let groupSize: Int?

    public static let names = Scheme.allCases.map(\.rawValue)
    public static let groupSizes = [32, 64, 128]

    /// The layout of a name in any case, or `nil` when it names none.
    ///
    /// - Parameter groupSize: 32, 64 or 128; `nil` for what the layout's own tools take.
    public init?(name: String, groupSize: Int? = nil) throws(QuantizationError) {
        guard let scheme = Scheme(rawValue: name.lowercased()) else { return nil }
        try self.init(scheme, groupSize: groupSize)
    }

    public init(_ scheme: Scheme, groupSize: Int? = nil) throws(QuantizationError) {
        if let groupSize {
            guard scheme != .w8a8 else { throw .groupSize(groupSize, layout: scheme.rawValue, allowed: []) }
            guard Self.groupSizes.contains(groupSize) else {
                throw .groupSize(groupSize, layout: scheme.rawValue, allowed: Self.groupSizes)
            }
        }
        self.scheme = scheme
        self.groupSize =
            switch scheme {
            case .mlxQ4, .mlxQ8: groupSize ?? 64
            case .w4a16, .gptqQ4: groupSize ?? 128
            case .w8a8: nil
            }
    }

    public var bits: Int { scheme == .mlxQ8 || scheme == .w8a8 ? 8 : 4 }
    public var isMLX: Bool { scheme == .mlxQ4 || scheme == .mlxQ8 }

    /// What the name of a module's codes ends in.
    public var codesEnding: String {
        switch scheme {
        case .mlxQ4, .mlxQ8, .w8a8: ".weight"
        case .w4a16: ".weight_packed"
        case .gptqQ4: ".qweight"
        }
    }

    /// - Parameter type: the plain type that the weights would have without the layout.
    public func format(for type: ElementType) -> GroupFormat {
        let scaleType = [.f32, .f16, .bf16].contains(type) ? type : .f16
        return switch scheme {
        case .mlxQ4, .mlxQ8: GroupFormat(.affine, bits: bits, groupSize: groupSize, scaleType: scaleType)
        case .w4a16: GroupFormat(.symmetric, bits: 4, groupSize: groupSize, scaleType: scaleType)
        case .w8a8: GroupFormat(.symmetric, bits: 8, groupSize: nil, scaleType: scaleType, hasPositiveScales: true)
        case .gptqQ4: GroupFormat(.zeroPoint, bits: 4, groupSize: groupSize, scaleType: .f16)
        }
    }

    /// QS-02: MLX quantizes the embedding and the head as well, the others leave them.
    public func quantizes(_ kind: QuantizationSubject.Class) -> Bool {
        switch kind {
        case .protected: false
        case .embedding, .output: isMLX
        default: true
        }
    }

    /// QS-03: whether a matrix can be stored so. GPTQ packs eight outputs to a word of zero points, and its kernels
    /// want whole words of inputs.
    public func fits(rows: Int, columns: Int) -> Bool {
        guard rows > 0, format(for: .f16).groups(inRowOf: columns) != nil else { return false }
        return scheme == .gptqQ4 ? rows % 32 == 0 && columns % 32 == 0 : true
    }
}
