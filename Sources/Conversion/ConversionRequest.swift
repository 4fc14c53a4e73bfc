import Foundation
public import ModelGraph
public import TensorFiles

/// A conversion as asked for: what becomes what, where, in which types.
public struct ConversionRequest: Sendable {
    public enum Format: String, Sendable, CaseIterable { case gguf, safetensors }

    public var model: String
    public var output: String
    /// `nil`: by the output's name, GGUF for `*.gguf` and a Hub directory for anything else.
    public var format: Format?
    public var types: TypeChoice = .kept
    public var maximumShardSize: Int?
    public var architecture: Architecture?
    /// The weights may be missing: a plan can be made, but not carried out.
    public var isDryRun = false
    public var threads = 2
    /// How matrices of a Hub directory are quantized; `nil`: they are not.
    var quantization: HubQuantization?

    public init(model: String, output: String) {
        self.model = model
        self.output = output
    }

    /// Reads headers, checks everything that can be checked, and says what will be written where.
    ///
    /// With `isDryRun` the digest of the source, for which every tensor must be read, is a row of zeros.
    public func planned(progress: ProgressHandler? = nil) throws -> (plan: ConversionPlan, folder: String) {
        try planned(openGraph(), progress: progress)
    }

    func openGraph() throws -> ModelGraph {
        try ModelGraph.open(model, architecture: architecture, weights: isDryRun ? .mayBeAbsent : .required)
    }

    func planned(
        _ graph: ModelGraph, progress: ProgressHandler?
    ) throws -> (plan: ConversionPlan, folder: String) {
        let digest =
            isDryRun
            ? graph.statedSourceDigest ?? String(repeating: "0", count: 32)
            : try graph.sourceDigest(threads: threads, progress: progress)
        return try planned(graph, sourceDigest: digest)
    }

    private func planned(_ graph: ModelGraph, sourceDigest: String) throws -> (plan: ConversionPlan, folder: String) {
        switch format ?? (output.hasSuffix(".gguf") ? .gguf : .safetensors) {
        case .gguf:
            let url = URL(fileURLWithPath: output)
            let tokenizer = try SourceTokenizer(graph)
            let planner = GGUFPlan(
                graph, types: types, name: url.lastPathComponent, maximumShardSize: maximumShardSize,
                vocabulary: tokenizer.metadata, sourceDigest: sourceDigest)
            var plan = try planner.plan()
            plan.notes += tokenizer.notes
            return (plan, url.deletingLastPathComponent().path)
        case .safetensors:
            let (files, notes) = try SourceTokenizer.hubFiles(graph)
            var planner = HubPlan(
                graph, types: types, maximumShardSize: maximumShardSize, sideFiles: files, sourceDigest: sourceDigest)
            planner.quantization = quantization
            var plan = try planner.plan()
            plan.notes += notes
            return (plan, output)
        }
    }
}
