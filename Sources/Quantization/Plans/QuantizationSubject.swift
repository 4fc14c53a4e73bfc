public import ModelGraph
public import TensorFiles

/// A tensor that a plan decides about, as it will be named in the output.
public struct QuantizationSubject: Sendable, Hashable {
    /// What a tensor is to the mixing rules: wider than a role, so that experts and families without a description
    /// have a place too.
    public enum Class: String, Sendable, CaseIterable {
        case embedding, output, query, key, value, queryKeyValue, attentionOutput, gate, up, down
        /// Any other matrix.
        case other
        /// Norms, biases, vectors and small tables: never quantized.
        case protected
    }

    public let name: String
    public let role: TensorRole?
    public let shape: [Int]
    public let sourceType: ElementType
    /// The transformer block it belongs to.
    public let block: Int?
    public let kind: Class

    /// - Parameter name: GGUF's name of the tensor, from which class and block are taken where no role says them.
    public init(name: String, role: TensorRole? = nil, shape: [Int], sourceType: ElementType) {
        self.name = name
        self.role = role
        self.shape = shape
        self.sourceType = sourceType
        block = role?.block ?? Self.block(in: name)
        kind = role.map { Self.kind(of: $0.part, shape) } ?? Self.kind(named: name, shape)
    }

    public var rowLength: Int { shape.last ?? 1 }
    public var elementCount: Int { shape.reduce(1, *) }

    private static func block(in name: String) -> Int? {
        let parts = name.split(separator: ".")
        guard parts.count > 2, parts[0] == "blk" else { return nil }
        return Int(parts[1])
    }

    private static func kind(of part: TensorRole.Part, _ shape: [Int]) -> Class {
        guard shape.count > 1 else { return .protected }
        return switch part {
        case .tokenEmbedding: .embedding
        case .output: .output
        case .query: .query
        case .key: .key
        case .value: .value
        case .queryKeyValue: .queryKeyValue
        case .attentionOutput: .attentionOutput
        case .gate: .gate
        case .up, .gateUp: .up
        case .down: .down
        default: .protected
        }
    }

    /// llama-quantize's rules by name, for tensors of no role: other families' and experts'.
    private static func kind(named name: String, _ shape: [Int]) -> Class {
        guard shape.count > 1, name.hasSuffix("weight"), !name.hasSuffix("_norm.weight") else { return .protected }
        let kept = [
            "ffn_gate_inp", "ffn_gate_tid2eid", "altup", "laurel", "per_layer_model_proj", "ssm_conv1d",
            "shortconv.conv", "time_mix_", "attn_rel_b", "position_embd", "token_types", "pos_embd", "indexer.",
            "nextn.", "mtp.",
        ]
        guard !kept.contains(where: name.contains) else { return .protected }
        switch name {
        case "token_embd.weight", "per_layer_token_embd.weight": return .embedding
        case "output.weight": return .output
        default: break
        }
        let classes: [(String, Class)] = [
            ("attn_qkv.weight", .queryKeyValue), ("attn_kv_b.weight", .value), ("attn_v.weight", .value),
            ("attn_k.weight", .key), ("attn_q.weight", .query), ("attn_output.weight", .attentionOutput),
            ("ffn_up", .up), ("ffn_gate", .gate), ("ffn_down", .down),
        ]
        return classes.first { name.contains($0.0) }?.1 ?? .other
    }
}

/// What the mixing rules need to know of a model.
public struct QuantizationContext: Sendable, Hashable {
    public var layerCount: Int
    public var headCount: Int
    public var keyValueHeadCount: Int
    public var expertCount: Int
    public var hasImportance: Bool

    public init(
        layerCount: Int, headCount: Int = 1, keyValueHeadCount: Int = 1, expertCount: Int = 0,
        hasImportance: Bool = false
    ) {
        self.layerCount = layerCount
        self.headCount = headCount
        self.keyValueHeadCount = keyValueHeadCount
        self.expertCount = expertCount
        self.hasImportance = hasImportance
    }

    public init(_ configuration: ModelConfiguration, hasImportance: Bool) {
        self.init(
            layerCount: configuration.layers.count, headCount: configuration.headCount,
            keyValueHeadCount: configuration.keyValueHeadCount, hasImportance: hasImportance)
    }

    /// Query heads that share a key/value head.
    var sharing: Int { headCount / max(1, keyValueHeadCount) }
}
