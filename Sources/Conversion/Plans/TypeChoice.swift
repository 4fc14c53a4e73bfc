public import TensorFiles

/// Which element type each tensor of the output gets.
public enum TypeChoice: Hashable, Sendable {
    /// Every tensor's own type; what the target cannot hold becomes F32.
    case kept
    /// This type for every matrix, under llama.cpp's rules for the exceptions.
    case uniform(ElementType)

    /// Parses `f16`, `bf16`, `f32`, `q8_0`, …
    public init?(_ name: String) {
        guard let type = ElementType.allCases.first(where: { $0.rawValue.lowercased() == name.lowercased() }) else {
            return nil
        }
        self = .uniform(type)
    }

    /// The type of a tensor in a GGUF. The exceptions are those of llama.cpp's converter: vectors, norms and whatever
    /// is no `.weight` stay F32, and rows that are not whole blocks become F16. (CV-01)
    public func ggufType(of tensor: Tensor, named name: String) -> ElementType {
        let staysSingle = tensor.shape.count <= 1 || name.hasSuffix("_norm.weight") || !name.hasSuffix(".weight")
        switch self {
        case .kept:
            if tensor.type.isQuantized { return tensor.type }
            if staysSingle { return .f32 }
            return [.f16, .bf16, .f32].contains(tensor.type) ? tensor.type : .f32
        case .uniform(let type):
            if staysSingle { return .f32 }
            return tensor.rowLength % type.block.elements == 0 ? type : .f16
        }
    }

    /// llama.cpp's number for the whole file, `general.file_type`, given the type of most bytes.
    public static func fileType(_ type: ElementType) -> UInt32 {
        switch type {
        case .f32: 0
        case .f16: 1
        case .q4_0: 2
        case .q4_1: 3
        case .q8_0: 7
        case .q5_0: 8
        case .q5_1: 9
        case .q2_K: 10
        case .q3_K: 12
        case .q4_K: 15
        case .q5_K: 17
        case .q6_K: 18
        case .iq2_XXS: 19
        case .iq2_XS: 20
        case .iq3_XXS: 23
        case .iq1_S: 24
        case .iq4_NL: 25
        case .iq3_S: 26
        case .iq2_S: 28
        case .iq4_XS: 30
        case .iq1_M: 31
        case .bf16: 32
        case .tq1_0: 36
        case .tq2_0: 37
        case .mxfp4: 38
        case .nvfp4: 39
        default: 1024
        }
    }
}
