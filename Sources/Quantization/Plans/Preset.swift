public import TensorFiles

/// A named mixture of types, with llama-quantize's names and rules (formats/recipe.md, "Presets").
// swift-format-ignore: AlwaysUseLowerCamelCase
public enum Preset: String, CaseIterable, Sendable {
    case f32, f16, bf16
    case q8_0, q6_k, q5_k_m, q5_k_s, q5_1, q5_0, q4_k_m, q4_k_s, q4_1, q4_0
    case iq4_nl, iq4_xs, mxfp4_moe
    case q3_k_l, q3_k_m, q3_k_s, q2_k, q2_k_s

    /// Understands `Q4_K_M`, `q4_k_m`, and `q4_k` for it.
    public init?(name: String) {
        let name = name.lowercased()
        let aliases = ["q4_k": "q4_k_m", "q5_k": "q5_k_m", "q3_k": "q3_k_m"]
        self.init(rawValue: aliases[name] ?? name)
    }

    /// The type of every tensor for which no rule says otherwise.
    public var baseType: ElementType {
        switch self {
        case .f32: .f32
        case .f16: .f16
        case .bf16: .bf16
        case .q8_0: .q8_0
        case .q6_k: .q6_K
        case .q5_k_m, .q5_k_s: .q5_K
        case .q5_1: .q5_1
        case .q5_0: .q5_0
        case .q4_k_m, .q4_k_s: .q4_K
        case .q4_1: .q4_1
        case .q4_0: .q4_0
        case .iq4_nl: .iq4_NL
        case .iq4_xs: .iq4_XS
        case .mxfp4_moe: .mxfp4
        case .q3_k_l, .q3_k_m, .q3_k_s: .q3_K
        case .q2_k, .q2_k_s: .q2_K
        }
    }

    /// llama.cpp's number for a file of this preset, `general.file_type`.
    public var fileType: UInt32 {
        switch self {
        case .f32: 0
        case .f16: 1
        case .q4_0: 2
        case .q4_1: 3
        case .q8_0: 7
        case .q5_0: 8
        case .q5_1: 9
        case .q2_k: 10
        case .q3_k_s: 11
        case .q3_k_m: 12
        case .q3_k_l: 13
        case .q4_k_s: 14
        case .q4_k_m: 15
        case .q5_k_s: 16
        case .q5_k_m: 17
        case .q6_k: 18
        case .q2_k_s: 21
        case .iq4_nl: 25
        case .iq4_xs: 30
        case .bf16: 32
        case .mxfp4_moe: 38
        }
    }
}

extension ElementType {
    /// A type by its name in any case: `Q4_K`, `q4_k`.
    public init?(anyCase name: String) {
        guard let type = Self.allCases.first(where: { $0.rawValue.lowercased() == name.lowercased() }) else {
            return nil
        }
        self = type
    }
}
