import ModelGraph
import TensorFiles

/// Which tensor of its class a tensor is, counted block by block.
struct MixingPosition {
    /// Its rank among value-like tensors, and their number.
    var value = 0
    var valueCount = 0
    /// Its block, for the feed-forward tensors.
    var block = 0
}

extension Preset {
    /// The type of a tensor before rows are checked for whole blocks.
    func type(
        of subject: QuantizationSubject, at position: MixingPosition, tied: Bool, _ context: QuantizationContext
    ) -> ElementType {
        guard baseType.isQuantized else { return baseType }
        if subject.kind == .output || (tied && subject.kind == .embedding) { return outputType(subject) }
        if self == .mxfp4_moe { return subject.shape.count > 2 ? .mxfp4 : .q8_0 }
        switch subject.kind {
        case .value, .queryKeyValue: return valueType(subject, position, context)
        case .key: return context.expertCount == 8 ? .q8_0 : baseType
        case .down: return downType(position.block, context)
        case .attentionOutput: return attentionOutputType(context)
        default: return baseType
        }
    }

    /// The matrix that makes logits: its errors meet no further layer that could absorb them.
    private func outputType(_ subject: QuantizationSubject) -> ElementType {
        if self == .mxfp4_moe || baseType == .q8_0 || subject.rowLength % baseType.block.elements != 0 {
            return .q8_0
        }
        return .q6_K
    }

    /// Eighths at both ends, and every third layer between.
    private static func deservesMore(_ index: Int, of count: Int) -> Bool {
        index < count / 8 || index >= 7 * count / 8 || (index - count / 8) % 3 == 2
    }

    private func valueType(
        _ subject: QuantizationSubject, _ position: MixingPosition, _ context: QuantizationContext
    ) -> ElementType {
        var type = baseType
        switch self {
        case .q2_k: type = context.sharing >= 4 ? .q4_K : .q3_K
        case .q2_k_s: if context.sharing >= 4 { type = .q4_K }
        case .q3_k_m: type = position.value < 2 ? .q5_K : .q4_K
        case .q3_k_l: type = .q5_K
        case .iq4_nl, .iq4_xs: if context.sharing >= 4 { type = .q5_K }
        case .q4_k_m, .q5_k_m: if Self.deservesMore(position.value, of: position.valueCount) { type = .q6_K }
        case .q4_k_s: if position.value < 4 { type = .q5_K }
        default: break
        }
        // Where eight heads share a value matrix of a deep model, more bits for it cost next to nothing.
        let isDeep = context.layerCount == 80 && context.sharing > 1
        if isDeep, type == .q3_K || type == .q4_K { type = .q5_K }
        return context.expertCount == 8 ? .q8_0 : type
    }

    private func downType(_ block: Int, _ context: QuantizationContext) -> ElementType {
        let count = context.layerCount
        switch self {
        case .q2_k: return .q3_K
        case .q2_k_s: return block < count / 8 ? .q4_K : baseType
        case .q3_k_m: return block < count / 16 ? .q5_K : .q4_K
        case .q3_k_l: return .q5_K
        case .q4_k_m, .q5_k_m: return Self.deservesMore(block, of: count) ? .q6_K : baseType
        case .iq4_nl, .iq4_xs: return block < count / 8 && !context.hasImportance ? .q5_K : baseType
        case .q4_k_s: return block < count / 8 ? .q5_K : baseType
        case .q4_0: return block < count / 8 && context.hasImportance ? .q4_1 : baseType
        case .q5_0: return block < count / 8 && context.hasImportance ? .q5_1 : baseType
        default: return baseType
        }
    }

    private func attentionOutputType(_ context: QuantizationContext) -> ElementType {
        if context.expertCount == 8 {
            switch self {
            case .q2_k, .q3_k_s, .q3_k_m, .iq4_nl, .iq4_xs, .q4_k_s, .q4_k_m: return .q5_K
            default: return baseType
            }
        }
        switch self {
        case .q2_k: return .q3_K
        case .q3_k_m: return .q4_K
        case .q3_k_l: return .q5_K
        default: return baseType
        }
    }
}
