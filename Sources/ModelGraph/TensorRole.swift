/// What a tensor does in a model, whatever it is called in a file.
public struct TensorRole: Hashable, Sendable {
    public enum Part: String, CaseIterable, Hashable, Sendable, Codable {
        case tokenEmbedding, outputNorm, output
        /// Per-frequency divisors of the rotary embedding, [head size / 2].
        case ropeFrequencies, ropeFactorsLong, ropeFactorsShort
        case attentionNorm, postAttentionNorm, feedForwardNorm, postFeedForwardNorm
        case query, key, value, attentionOutput, queryKeyValue
        case queryBias, keyBias, valueBias, attentionOutputBias, queryKeyValueBias
        case queryNorm, keyNorm
        case gate, up, down, gateUp
    }

    /// The transformer block's index, or `nil` for a tensor of the whole model.
    public let block: Int?
    public let part: Part

    public init(_ part: Part, block: Int? = nil) {
        self.part = part
        self.block = block
    }
}
