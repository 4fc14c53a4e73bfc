import Foundation
public import ModelGraph
public import TensorFiles

/// Makes the plan that writes a model as GGUF.
public struct GGUFPlan {
    public var graph: ModelGraph
    public var types: TypeChoice
    /// File name of the output, without a folder.
    public var name: String
    /// Bytes of tensors in a file of a split.
    public var maximumShardSize: Int?
    /// `tokenizer.*` keys; empty for a model without a tokenizer.
    public var vocabulary: GGUFMetadata
    /// `foretoken.source.digest`; `nil` leaves it out.
    public var sourceDigest: String?

    public init(
        _ graph: ModelGraph, types: TypeChoice, name: String, maximumShardSize: Int? = nil,
        vocabulary: GGUFMetadata = GGUFMetadata(), sourceDigest: String? = nil
    ) {
        self.graph = graph
        self.types = types
        self.name = name
        self.maximumShardSize = maximumShardSize
        self.vocabulary = vocabulary
        self.sourceDigest = sourceDigest
    }

    public func plan() throws -> ConversionPlan {
        guard let architecture = graph.origin?.architecture else {
            throw ConversionError.invalid("the model has no description of its family")
        }
        let target = try graph.prepared(for: .gguf, architecture)
        var entries = try target.ggufRotaryTensors(as: architecture).map { role, factors in
            let tensor = try vector(factors, name: architecture.name(of: role, in: .gguf) ?? role.description)
            return try ConversionPlan.Entry(
                copying: tensor, as: tensor.name, role: role, fate: "from the configuration")
        }
        for (role, tensor) in target.inSourceOrder(graph) where role.part.isWeight {
            guard let name = architecture.name(of: role, in: .gguf) else {
                throw ConversionError.noName(role: role.description, family: architecture.family, dialect: .gguf)
            }
            let type = types.ggufType(of: tensor, named: name)
            entries.append(
                try .recoding(tensor, as: name, to: type, role: role, steps: target.steps(of: role, since: graph)))
        }
        let metadata = try metadata(target, architecture, entries)
        return try ConversionPlan(
            entries: entries, recipe: OutputRecipe(.gguf(metadata), name: name, maximumShardSize: maximumShardSize),
            identity: graph.sourceIdentity, notes: graph.origin?.notes ?? [])
    }

    private func vector(_ values: [Float], name: String) throws -> Tensor {
        let bytes = values.flatMap { value in (0..<4).map { UInt8(truncatingIfNeeded: value.bitPattern >> ($0 * 8)) }
        }
        guard let tensor = Tensor(name: name, shape: [values.count], type: .f32, source: MemorySource(bytes)) else {
            throw ConversionError.invalid("\(name): \(values.count) factors")
        }
        return tensor
    }

    /// Keys in the order of llama.cpp's converter, then ours (formats/gguf-metadata.md).
    private func metadata(
        _ target: ModelGraph, _ architecture: Architecture, _ entries: [ConversionPlan.Entry]
    ) throws -> GGUFMetadata {
        if let metadata = graph.origin?.metadata { return refreshed(metadata, entries) }
        let settings = target.ggufSettings(as: architecture)
        var metadata = GGUFMetadata()
        metadata["general.architecture"] = settings["general.architecture"]
        metadata["general.type"] = .string("model")
        metadata["general.name"] = .string(graph.displayName)
        metadata["general.size_label"] = .string(graph.parameterCount.sizeLabel)
        for entry in settings.entries { metadata[entry.key] = entry.value }
        metadata["general.file_type"] = .uint32(TypeChoice.fileType(mainType(entries)))
        metadata["general.quantization_version"] = .uint32(2)
        for entry in vocabulary.entries { metadata[entry.key] = entry.value }
        metadata["foretoken.family"] = .string(architecture.family)
        if let sourceDigest { metadata[ModelGraph.sourceDigestKey] = .string(sourceDigest) }
        if graph.origin?.dialect == .hub, let config = graph.origin?.config {
            metadata[HubMemory.configKey] = .string(HubMemory.text(of: "config.json", graph) ?? config.json)
            if let text = HubMemory.text(of: "generation_config.json", graph) {
                metadata[HubMemory.generationKey] = .string(text)
            }
            HubMemory.remember(typesOf: graph, in: &metadata)
            try HubMemory.remember(exactNormsOf: graph, in: &metadata)
        }
        return metadata
    }

    /// A GGUF's own metadata, which may say more than we know, with what the conversion changes.
    private func refreshed(_ metadata: GGUFMetadata, _ entries: [ConversionPlan.Entry]) -> GGUFMetadata {
        var metadata = metadata
        metadata["general.file_type"] = .uint32(TypeChoice.fileType(mainType(entries)))
        for entry in vocabulary.entries { metadata[entry.key] = entry.value }
        if let sourceDigest { metadata[ModelGraph.sourceDigestKey] = .string(sourceDigest) }
        return metadata
    }

    /// The type of most of the elements.
    private func mainType(_ entries: [ConversionPlan.Entry]) -> ElementType {
        var elements: [ElementType: Int] = [:]
        for entry in entries {
            elements[entry.declaration.type, default: 0] += entry.declaration.shape.reduce(1, *)
        }
        return elements.max { ($0.value, $1.key.rawValue) < ($1.value, $0.key.rawValue) }?.key ?? .f32
    }
}
