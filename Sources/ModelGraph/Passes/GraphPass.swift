/// A rewriting of a model: a function from graph to graph, lazy in its tensors.
///
/// Passes compose by application, left to right: `graph.applying([.splitFused, .rotaryOrder(.halves)])`.
public struct GraphPass: Sendable {
    public let name: String
    /// The rewritten model computes the same logits from the same tokens, up to the rounding of sums.
    public let preservesFunction: Bool
    private let rewrite: @Sendable (ModelGraph) throws -> ModelGraph

    public init(
        name: String, preservesFunction: Bool, _ rewrite: @escaping @Sendable (ModelGraph) throws -> ModelGraph
    ) {
        self.name = name
        self.preservesFunction = preservesFunction
        self.rewrite = rewrite
    }

    public func callAsFunction(_ graph: ModelGraph) throws -> ModelGraph { try rewrite(graph) }
}

extension ModelGraph {
    public func applying(_ passes: [GraphPass]) throws -> ModelGraph {
        try passes.reduce(self) { try $1($0) }
    }

    /// The form the runtime and the trainer take: query, key, value, gate and up apart, query and key rows in the
    /// Hub's order, norms that multiply as stored.
    public func canonical() throws -> ModelGraph {
        try applying([.splitFused, .rotaryOrder(.halves), .normOffset(0)])
    }
}
