public import TensorFiles

/// What an output is made of beside its tensors: enough to lay its files out anew, as `join` does.
public struct OutputRecipe: Sendable {
    public enum Content: Sendable {
        case gguf(GGUFMetadata)
        case safetensors([(key: String, value: String)])
    }

    public var content: Content
    /// Name of the file, or the stem of the names of shards.
    public var name: String
    /// Bytes of tensors in a file.
    public var maximumShardSize: Int?
    /// Whether each tensor's digest is kept in the file.
    public var keepsDigests = true
    /// Small files beside the tensors.
    public var sideFiles: [(name: String, bytes: [UInt8])]

    public init(
        _ content: Content, name: String, maximumShardSize: Int? = nil,
        sideFiles: [(name: String, bytes: [UInt8])] = []
    ) {
        self.content = content
        self.name = name
        self.maximumShardSize = maximumShardSize
        self.sideFiles = sideFiles
    }

    /// The files for these tensors.
    public func plan(_ tensors: [TensorDeclaration]) throws -> OutputPlan {
        let plan =
            switch content {
            case .gguf(let metadata):
                try OutputPlan.gguf(
                    tensors, metadata: metadata, name: name, maximumShardSize: maximumShardSize, digests: keepsDigests
                )
            case .safetensors(let metadata):
                try OutputPlan.safetensors(
                    tensors, metadata: metadata, name: name, maximumShardSize: maximumShardSize,
                    digests: keepsDigests)
            }
        return sideFiles.isEmpty ? plan : plan.adding(sideFiles: sideFiles)
    }
}

extension ConversionPlan {
    /// The same output without digests: the bytes that the reference writers would write.
    public func withoutDigests() throws -> ConversionPlan {
        guard var recipe else { return self }
        recipe.keepsDigests = false
        var plan = self
        plan.recipe = recipe
        plan.output = try recipe.plan(entries.map(\.declaration))
        return plan
    }
}
