public import Quantization
public import TensorFiles

/// A tensor of a quantized output, for reports.
public struct QuantizedTensor: Sendable, Hashable {
    public let name: String
    /// Outermost dimension first.
    public let shape: [Int]
    public let type: ElementType
    public let byteCount: Int
    public let sourceType: ElementType
    public let method: BlockMethod
    /// Where type and method come from.
    public let reason: String
    /// What `QuantizationTally` and the planner measured it as.
    public let measuredAs: String
}

extension PlannedQuantization {
    /// Lists the tensors of a GGUF.
    mutating func describe(_ types: TypePlan) {
        weightCount = types.entries.reduce(0) { $0 + $1.subject.elementCount }
        tensors = types.entries.map { entry in
            let fit = entry.wanted.map { "; \($0.rawValue) does not fit the rows" } ?? ""
            return QuantizedTensor(
                name: entry.subject.name, shape: entry.subject.shape, type: entry.type, byteCount: entry.byteCount,
                sourceType: entry.subject.sourceType, method: entry.method, reason: entry.reason + fit,
                measuredAs: entry.subject.name)
        }
    }

    /// Lists the tensors of a Hub directory in a layout.
    mutating func describe(_ layout: HubLayout, method: BlockMethod, weightCount: Int) {
        self.weightCount = weightCount
        let codes = layout.codesEnding
        tensors = plan.entries.map { entry in
            let declaration = entry.declaration
            let isCodes = declaration.name.hasSuffix(codes) && !declaration.type.isPlainFloat
            return QuantizedTensor(
                name: declaration.name, shape: declaration.shape, type: declaration.type,
                byteCount: declaration.byteCount, sourceType: entry.sourceType,
                method: isCodes ? method : .nearest, reason: entry.fate,
                measuredAs: isCodes ? String(declaration.name.dropLast(codes.count)) : "")
        }
    }
}
