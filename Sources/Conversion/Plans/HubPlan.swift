public import ModelGraph
import Quantization
import TensorFiles

/// Makes the plan that writes a model as a Hub directory: safetensors, `config.json` and what goes with it.
public struct HubPlan {
    public var graph: ModelGraph
    /// `kept`: the types the Hub directory had that this model comes from, if it is known, or each tensor's own.
    public var types: TypeChoice
    public var maximumShardSize: Int?
    /// Tokenizer files and the like.
    public var sideFiles: [(name: String, bytes: [UInt8])]
    public var sourceDigest: String?
    /// How matrices are quantized; `nil`: they are not.
    var quantization: HubQuantization?

    public init(
        _ graph: ModelGraph, types: TypeChoice, maximumShardSize: Int? = nil,
        sideFiles: [(name: String, bytes: [UInt8])] = [], sourceDigest: String? = nil
    ) {
        self.graph = graph
        self.types = types
        self.maximumShardSize = maximumShardSize
        self.sideFiles = sideFiles
        self.sourceDigest = sourceDigest
    }

    public func plan() throws -> ConversionPlan {
        guard let architecture = graph.origin?.architecture else {
            throw ConversionError.invalid("the model has no description of its family")
        }
        let target = try graph.prepared(for: .hub, architecture)
        let memory = graph.origin?.metadata.flatMap { HubMemory.types(in: $0) }
        let main = memory?.main ?? Self.plain(target[.tokenEmbedding]?.type ?? .bf16)
        var entries: [ConversionPlan.Entry] = []
        var dense: [String] = []
        for (role, tensor) in target.inSourceOrder(graph) where role.part.isWeight {
            guard let name = architecture.name(of: role, in: .hub) else {
                throw ConversionError.noName(role: role.description, family: architecture.family, dialect: .hub)
            }
            let remembered = memory.map { $0.others[role.description] ?? $0.main }
            let type = chosenType(remembered ?? (graph.origin?.dialect == .gguf ? main : Self.plain(tensor.type)))
            guard type.isPlainFloat else { throw ConversionError.unfitType(type, format: "a Hub directory") }
            let exact = HubMemory.exactNorm(role, like: tensor, type: type, in: graph.origin?.metadata)
            var steps = target.steps(of: role, since: graph)
            if let quantization, let matrix = QuantizedMatrix(role, tensor, name: name, type: type, architecture),
                quantization.layout.quantizes(matrix.kind)
            {
                if let made = try quantization.entries(matrix, steps: steps) {
                    entries += made
                    continue
                }
                dense.append(matrix.module)
                steps.append(quantization.reasonToKeep(matrix))
            }
            entries.append(try .recoding(exact ?? tensor, as: name, to: type, role: role, steps: steps))
        }
        return try plan(entries, config(target, architecture, chosenType(main)), dense: dense)
    }

    private func chosenType(_ usual: ElementType) -> ElementType {
        if case .uniform(let type) = types { type } else { usual }
    }

    /// - Parameter dense: modules that a quantized layout leaves as they are.
    private func plan(
        _ entries: [ConversionPlan.Entry], _ config: [String: Setting], dense: [String]
    ) throws -> ConversionPlan {
        let layout = quantization?.layout
        var metadata: [(key: String, value: String)] = [("format", layout?.metadataFormat ?? "pt")]
        if let sourceDigest { metadata.append((ModelGraph.sourceDigestKey, sourceDigest)) }
        let config = config.merging(layout?.settings(dense: dense) ?? [:]) { $1 }
        let files = [(name: "config.json", content: Setting.object(config))] + (layout?.sideFiles(dense: dense) ?? [])
        return try ConversionPlan(
            entries: entries,
            recipe: OutputRecipe(
                .safetensors(metadata), name: "model.safetensors", maximumShardSize: maximumShardSize,
                sideFiles: files.map { ($0.name, Array($0.content.json.utf8)) } + sideFiles),
            identity: [graph.sourceIdentity, quantization?.identity].compactMap { $0 }.joined(separator: "\n"),
            notes: (graph.origin?.notes ?? []) + Self.notes(dense))
    }

    private static func notes(_ dense: [String]) -> [String] {
        guard let first = dense.first else { return [] }
        let others = dense.count > 1 ? " and \(dense.count - 1) other matrices stay" : " stays"
        return ["\(first)\(others) dense: the layout cannot hold such shapes"]
    }

    /// The configuration the model came with, if it is known, in the types that are written.
    private func config(_ target: ModelGraph, _ architecture: Architecture, _ type: ElementType) -> [String: Setting]
    {
        let remembered = graph.origin?.metadata?[HubMemory.configKey]?.string.flatMap { text in
            try? Setting(JSONDocument(MappedFile(bytes: Array(text.utf8), name: HubMemory.configKey)).root)
        }
        guard let known = graph.origin?.config ?? remembered, case .object(var members) = known else {
            return target.hubSettings(as: architecture, type: type).objectValue ?? [:]
        }
        // Weights are expanded, and in the type that is written.
        members["quantization_config"] = nil
        members["quantization"] = nil
        let name = ["F32": "float32", "F16": "float16"][type.rawValue] ?? "bfloat16"
        members[members["dtype"] == nil ? "torch_dtype" : "dtype"] = .string(name)
        return members
    }

    /// The plain type nearest to a stored one.
    private static func plain(_ type: ElementType) -> ElementType {
        type.isPlainFloat ? type : type == .f64 ? .f32 : .f16
    }
}

extension ElementType {
    var isPlainFloat: Bool { self == .f32 || self == .f16 || self == .bf16 }
}
