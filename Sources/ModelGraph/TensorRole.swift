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

        /// False for what a model computes with but does not learn.
        public var isWeight: Bool {
            switch self {
            case .ropeFrequencies, .ropeFactorsLong, .ropeFactorsShort: false
            default: true
            }
        }

        public var isNorm: Bool {
            switch self {
            case .outputNorm, .attentionNorm, .postAttentionNorm, .feedForwardNorm, .postFeedForwardNorm, .queryNorm,
                .keyNorm:
                true
            default: false
            }
        }

        static let order = Dictionary(uniqueKeysWithValues: allCases.enumerated().map { ($1, $0) })
    }

    /// The transformer block's index, or `nil` for a tensor of the whole model.
    public let block: Int?
    public let part: Part

    public init(_ part: Part, block: Int? = nil) {
        self.part = part
        self.block = block
    }
}

extension TensorRole: Comparable, CustomStringConvertible {
    public static func < (one: TensorRole, other: TensorRole) -> Bool {
        (one.block ?? -1, Part.order[one.part] ?? 0) < (other.block ?? -1, Part.order[other.part] ?? 0)
    }

    /// `query.3`: the part's name and the block.
    public var description: String { block.map { "\(part.rawValue).\($0)" } ?? part.rawValue }
}
