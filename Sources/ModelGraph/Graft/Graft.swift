public import TensorFiles

/// What multi-token decoding adds to a model, and nothing of the model itself: mask embeddings, gated LoRA on the
/// linears of each block, and the sampler head that chains the drafts.
///
/// `d` is the hidden size, `k` the number of masks, `r` the rank. A mask row enters the model where rows of the
/// embedding table do; in every adapted linear it gets `W x + (alpha / r) B (A x)`, an ordinary row gets `W x`. The
/// sampler turns the embedding of the token before and the mask's last hidden row z into a hidden row that the
/// unembedding takes: `MLP([E[y] ; z])`.
///
/// Rows of B follow the Hub's order, also for queries and keys: `bound(to:)` gives them in the order of a model that
/// stores those rows permuted. Source: Samragh et al., arXiv 2507.11851; formats/graft.md.
public struct Graft: Sendable {
    /// The low-rank part of one linear, `[r, in]` and `[out, r]`. Its rank may differ from the graft's (a fused
    /// projection's factor A serves each of its parts); the scale is the graft's all the same.
    public struct Adapter: Sendable {
        public var a: Tensor
        public var b: Tensor

        public init(a: Tensor, b: Tensor) {
            self.a = a
            self.b = b
        }

        public var rank: Int { a.rowCount }
    }

    public enum Norm: String, Hashable, Sendable, Codable, CaseIterable {
        case layerNorm = "layernorm"
        case rmsNorm = "rmsnorm"
    }

    /// One block of the sampler after its matrix: bias of the linear, then SiLU, then a norm.
    public struct SamplerTail: Sendable {
        /// [d]
        public var bias: Tensor?
        /// [d]
        public var normWeight: Tensor
        /// [d]; only a layer norm may have one.
        public var normBias: Tensor?

        public init(bias: Tensor? = nil, normWeight: Tensor, normBias: Tensor? = nil) {
            self.bias = bias
            self.normWeight = normWeight
            self.normBias = normBias
        }
    }

    /// `h = tail1(token · e + hidden · z)`, `o = tail2(second · h)`, and `o + h` with the residual.
    ///
    /// The first matrix is kept as its two halves: their inputs differ twenty-fold in size, so no block of a
    /// quantized type may ever reach across the border.
    public struct Sampler: Sendable {
        public var norm: Norm
        public var epsilon: Double
        public var residual: Bool
        /// [d, d], multiplies the embedding of the token before, as the table stores it.
        public var token: Tensor
        /// [d, d], multiplies the mask's hidden row after the final norm.
        public var hidden: Tensor
        public var firstTail: SamplerTail
        /// [d, d]
        public var second: Tensor
        public var secondTail: SamplerTail

        public init(
            norm: Norm, epsilon: Double, residual: Bool, token: Tensor, hidden: Tensor, firstTail: SamplerTail,
            second: Tensor, secondTail: SamplerTail
        ) {
            self.norm = norm
            self.epsilon = epsilon
            self.residual = residual
            self.token = token
            self.hidden = hidden
            self.firstTail = firstTail
            self.second = second
            self.secondTail = secondTail
        }
    }

    /// `k`, how many tokens a block of masks drafts.
    public var maskCount: Int
    /// [k, d], or [1, d] when one vector serves every offset.
    public var maskEmbeddings: Tensor
    public var rank: Int
    public var alpha: Double
    /// By role, in the canonical form (query, key and value apart, gate and up apart).
    public var adapters: [TensorRole: Adapter]
    public var sampler: Sampler
    /// The model that the graft was made for; `nil` until it is known (a file of weights alone).
    public var base: GraftBase?

    public init(
        maskCount: Int, maskEmbeddings: Tensor, rank: Int, alpha: Double, adapters: [TensorRole: Adapter],
        sampler: Sampler, base: GraftBase? = nil
    ) {
        self.maskCount = maskCount
        self.maskEmbeddings = maskEmbeddings
        self.rank = rank
        self.alpha = alpha
        self.adapters = adapters
        self.sampler = sampler
        self.base = base
    }

    /// What multiplies `B (A x)`.
    public var scale: Double { alpha / Double(rank) }
    public var hiddenSize: Int { maskEmbeddings.rowLength }
    public var hasSharedMask: Bool { maskEmbeddings.rowCount == 1 && maskCount > 1 }

    /// The row of `maskEmbeddings` that mask `offset` (1 … k) enters with.
    public func maskRow(offset: Int) -> Int {
        precondition((1...maskCount).contains(offset), "no such mask")
        return min(offset, maskEmbeddings.rowCount) - 1
    }

    /// The linears of a block that can be adapted, in the order in which files list them.
    public static let linears: [TensorRole.Part] = [
        .query, .key, .value, .attentionOutput, .gate, .up, .down,
    ]

    /// Rows and columns of a linear in a model of this configuration.
    public static func shape(
        of part: TensorRole.Part, in configuration: ModelConfiguration
    ) -> (rows: Int, columns: Int)? {
        let hidden = configuration.hiddenSize
        let queries = configuration.headCount * configuration.headSize
        let keys = configuration.keyValueHeadCount * configuration.headSize
        switch part {
        case .query: return (queries, hidden)
        case .key, .value: return (keys, hidden)
        case .attentionOutput: return (hidden, queries)
        case .gate, .up: return (configuration.feedForwardSize, hidden)
        case .down: return (hidden, configuration.feedForwardSize)
        default: return nil
        }
    }
}
