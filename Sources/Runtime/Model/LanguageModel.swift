public import Kernels
public import ModelGraph
public import TensorFiles
public import Tokenizers

/// A model ready to be asked: weights, tokenizer, and where they came from.
public final class LanguageModel: Sendable {
    public let path: String
    /// As the files have it, before passes.
    public let graph: ModelGraph
    public let transformer: Transformer
    public let tokenizer: Tokenizer?
    /// Why there is no tokenizer, when there is none.
    public let tokenizerProblem: String?

    /// Opens a Hub directory, a .safetensors with its config.json, or a .gguf.
    ///
    /// A model whose tokenizer cannot be read still runs on token ids.
    public convenience init(
        path: String, precision: ActivationPrecision = .int8, pool: WorkerPool, architecture: Architecture? = nil,
        progress: ProgressHandler? = nil
    ) throws {
        let graph = try ModelGraph.open(path, architecture: architecture)
        try self.init(graph, path: path, precision: precision, pool: pool, progress: progress)
    }

    public init(
        _ graph: ModelGraph, path: String, precision: ActivationPrecision = .int8, pool: WorkerPool,
        progress: ProgressHandler? = nil
    ) throws {
        self.path = path
        self.graph = graph
        transformer = try Transformer(graph.canonical(), precision: precision, pool: pool, progress: progress)
        do {
            tokenizer = try Tokenizer(path: path)
            tokenizerProblem = nil
        } catch {
            tokenizer = nil
            tokenizerProblem = "\(error)"
        }
    }

    public var configuration: ModelConfiguration { transformer.configuration }

    /// Tokens after which a text is over.
    public var endTokens: Set<Int> {
        guard let special = tokenizer?.special else { return [] }
        return special.endOfGeneration.union([special.eos, special.eot, special.eom].compactMap { $0 })
    }

    /// The tokenizer, or an error that says why there is none.
    public func requireTokenizer() throws -> Tokenizer {
        guard let tokenizer else {
            throw RuntimeError.unsupported(
                "\(path): text needs a tokenizer, and \(tokenizerProblem ?? "there is none"); give token ids instead")
        }
        return tokenizer
    }

    /// A sequence for up to `positions` positions, or as many as the model was made for.
    public func sequence(
        positions: Int? = nil, precision: KeyValueStore.Precision = .f16,
        adaptation: (any MaskAdaptation)? = nil
    ) throws -> TokenSequence {
        try TokenSequence(
            transformer, capacity: positions ?? configuration.contextLength, precision: precision,
            adaptation: adaptation)
    }
}
