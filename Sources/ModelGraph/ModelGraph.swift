public import TensorFiles

/// A model as data: its configuration and its tensors by role. Passes map graphs to graphs; tensors stay promises.
///
/// As opened, projections may be fused (`queryKeyValue`, `gateUp`) and norms stored with an offset; `canonical()`
/// gives the form the runtime and the trainer take: query, key, value, gate and up apart, norms that multiply
/// as stored.
public struct ModelGraph: Sendable {
    public var configuration: ModelConfiguration
    public var tensors: [TensorRole: Tensor]

    public init(configuration: ModelConfiguration, tensors: [TensorRole: Tensor]) {
        self.configuration = configuration
        self.tensors = tensors
    }

    public subscript(part: TensorRole.Part) -> Tensor? { tensors[TensorRole(part)] }
    public subscript(part: TensorRole.Part, block: Int) -> Tensor? { tensors[TensorRole(part, block: block)] }
}
