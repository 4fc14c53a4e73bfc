import TensorFiles

extension GraphPass {
    /// Gives a model whose embeddings are tied an output of its own, equal to the embedding.
    public static let untie = GraphPass(name: "untie", preservesFunction: true) { graph in
        guard graph.configuration.tiedEmbeddings else { return graph }
        guard var output = graph[.tokenEmbedding] else {
            throw ModelError.pass("untie", reason: "the model has no embedding")
        }
        var graph = graph
        output.name = "output"
        graph.tensors[TensorRole(.output)] = output
        graph.configuration.tiedEmbeddings = false
        return graph
    }

    /// Drops an output that repeats the embedding; fails when it does not.
    public static let tie = GraphPass(name: "tie", preservesFunction: true) { graph in
        guard !graph.configuration.tiedEmbeddings else { return graph }
        guard let output = graph[.output], let embedding = graph[.tokenEmbedding],
            try output.hasSameBytes(as: embedding)
        else {
            throw ModelError.pass("tie", reason: "the output differs from the embedding")
        }
        var graph = graph
        graph.tensors[TensorRole(.output)] = nil
        graph.configuration.tiedEmbeddings = true
        return graph
    }
}
