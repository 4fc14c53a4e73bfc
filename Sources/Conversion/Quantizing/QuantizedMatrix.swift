import ModelGraph
import Quantization
import TensorFiles

/// A weight of a Hub directory that a layout may quantize, and what it is called in every place that knows of it.
struct QuantizedMatrix: Sendable {
    let role: TensorRole
    let tensor: Tensor
    /// Path of its module: the tensor's name without `.weight`.
    let module: String
    /// What importance matrices and second moments call it.
    let calibrationName: String
    /// The plain type that it would have.
    let type: ElementType
    let kind: QuantizationSubject.Class

    /// `nil` for what is no matrix of a module: norms, biases, vectors.
    init?(_ role: TensorRole, _ tensor: Tensor, name: String, type: ElementType, _ architecture: Architecture) {
        guard tensor.shape.count == 2, name.hasSuffix(".weight") else { return nil }
        self.role = role
        self.tensor = tensor
        self.type = type
        module = String(name.dropLast(".weight".count))
        // Where GGUF keeps projections apart that the Hub fuses, the first of them has the same inputs.
        let roles = [role] + (role.part.fusedParts ?? []).map { TensorRole($0, block: role.block) }
        calibrationName = roles.lazy.compactMap { architecture.name(of: $0, in: .gguf) }.first ?? name
        kind =
            QuantizationSubject(name: name, role: role, shape: tensor.shape, sourceType: tensor.type).kind
        if kind == .protected { return nil }
    }
}
