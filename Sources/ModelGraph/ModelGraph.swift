public import TensorFiles

/// A model as data: its configuration and its tensors by role. Passes map graphs to graphs; tensors stay promises.
///
/// As opened, projections may be fused (`queryKeyValue`, `gateUp`) and norms stored with an offset; `canonical()`
/// gives the form the runtime and the trainer take: query, key, value, gate and up apart, query and key rows in the
/// Hub's order, norms that multiply as stored.
public struct ModelGraph: Sendable {
    public var configuration: ModelConfiguration
    public var tensors: [TensorRole: Tensor]
    /// Where it was read from; `nil` for a graph made in memory.
    public var origin: ModelOrigin?
    /// What is added to a norm weight as stored before it multiplies; Gemma on the Hub: 1.
    public var normOffset: Double

    public init(
        configuration: ModelConfiguration, tensors: [TensorRole: Tensor], origin: ModelOrigin? = nil,
        normOffset: Double = 0
    ) {
        self.configuration = configuration
        self.tensors = tensors
        self.origin = origin
        self.normOffset = normOffset
    }

    public subscript(part: TensorRole.Part) -> Tensor? { tensors[TensorRole(part)] }
    public subscript(part: TensorRole.Part, block: Int) -> Tensor? { tensors[TensorRole(part, block: block)] }

    /// Roles present, whole-model ones first, then block by block.
    public var roles: [TensorRole] { tensors.keys.sorted() }

    /// Elements of all weights; factors of the rotary embedding are none.
    public var parameterCount: Int {
        tensors.reduce(0) { $0 + ($1.key.part.isWeight ? $1.value.elementCount : 0) }
    }
}

/// The files that a graph was read from, and what they say beyond the graph.
public struct ModelOrigin: Sendable {
    /// As the user gave it.
    public var path: String
    public var dialect: Dialect
    public var architecture: Architecture
    /// `config.json` of a Hub directory.
    public var config: Setting?
    /// `nil` where only an index or a configuration is there.
    public var checkpoint: Checkpoint?
    /// Odd, but no reason to stop.
    public var notes: [String] = []

    /// Metadata of a GGUF.
    public var metadata: GGUFMetadata? { checkpoint?.gguf }
    /// Where tokenizer files are, for a Hub directory.
    public var folder: String
}
