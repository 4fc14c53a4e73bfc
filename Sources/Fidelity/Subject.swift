import Foundation
public import Kernels
public import ModelGraph
public import Runtime
public import TensorFiles
public import Tokenizers

/// A model under examination: its files, its graph in the form that all models share, its tokenizer.
public struct Subject: Sendable {
    public let name: String
    public let path: String
    public let checkpoint: Checkpoint
    /// As the files have it.
    public let stored: ModelGraph
    /// Canonical, so that tensors of equal roles can be compared whatever format they come from.
    public let graph: ModelGraph
    public let tokenizer: Tokenizer?
    /// Why there is no tokenizer.
    public let tokenizerProblem: String?

    public init(path: String, name: String? = nil) throws {
        let checkpoint = try Checkpoint.open(path)
        self.path = path
        self.checkpoint = checkpoint
        self.name = name ?? Self.name(of: path)
        stored = try ModelGraph.open(checkpoint)
        graph = try stored.canonical()
        do {
            tokenizer = try Tokenizer(path: path)
            tokenizerProblem = nil
        } catch {
            tokenizer = nil
            tokenizerProblem = (error as? any DescribedError)?.description ?? "\(error)"
        }
    }

    public func load(
        precision: ActivationPrecision, pool: WorkerPool, progress: ProgressHandler? = nil
    ) throws -> Transformer {
        try Transformer(graph, precision: precision, pool: pool, progress: progress)
    }

    /// What the files say, before anything is run.
    public func summary(graftPath: String? = nil) -> ModelSummary {
        var bytesByType: [ElementType: Int] = [:]
        var parameters = 0
        var bytes = 0
        for tensor in checkpoint.tensors {
            parameters += tensor.elementCount
            bytes += tensor.byteCount
            bytesByType[tensor.type, default: 0] += tensor.elementCount
        }
        // Where a layout of the Hub packs codes into words, the stored elements are no parameters.
        if stored.expandedCount > 0 { parameters = stored.parameterCount }
        let main = bytesByType.max { ($0.value, $1.key.rawValue) < ($1.value, $0.key.rawValue) }
        let files = checkpoint.files.reduce(0) { $0 + $1.file.byteCount }
        let graftBytes = graftPath.flatMap { try? FileManager.default.attributesOfItem(atPath: $0)[.size] as? Int }
        return ModelSummary(
            name: name, format: checkpoint.format.rawValue, family: graph.configuration.family,
            bytes: files + (graftBytes ?? 0), parameters: parameters,
            bitsPerWeight: Double(bytes) * 8 / Double(max(1, parameters)), mainType: main?.key.rawValue ?? "none",
            graft: graftPath.map(Self.name))
    }

    private static func name(of path: String) -> String {
        let url = URL(fileURLWithPath: path).standardizedFileURL
        return url.pathExtension == "gguf" || url.pathExtension == "safetensors"
            ? url.deletingPathExtension().lastPathComponent : url.lastPathComponent
    }
}

extension Subject {
    public var vocabularySize: Int { graph.configuration.vocabularySize }

    /// Whether any matrix is stored in blocks.
    public var isQuantized: Bool { graph.tensors.values.contains { $0.type.isQuantized } }

    /// Ids as text, or as numbers where there is no tokenizer.
    public func decode(_ tokens: [Int]) -> String {
        (try? tokenizer?.decode(tokens)) ?? tokens.map { "⟨\($0)⟩" }.joined()
    }
}
