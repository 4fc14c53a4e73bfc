/// Everything about a model's computation that its tensors do not say, whatever its family.
///
/// Made from a Hub `config.json` or GGUF metadata through the family's description; read by the runtime, the
/// planner and the trainer, none of which knows a family by name.
public struct ModelConfiguration: Hashable, Sendable, Codable {
    public enum Activation: String, Hashable, Sendable, Codable {
        case silu
        /// GELU's tanh approximation.
        case geluTanh
    }

    /// Which rows of a head turn together: (i, i + size/2) as the Hub stores them, or (2i, 2i + 1) as llama.cpp
    /// stores the families that it permutes.
    public enum RotaryOrder: String, Hashable, Sendable, Codable {
        case halves, interleaved
    }

    /// RMS norm of queries and keys: none, over each head, or over all heads at once (OLMo 2).
    public enum QueryKeyNorm: String, Hashable, Sendable, Codable {
        case none, perHead, fullWidth
    }

    /// One rotary embedding: angle of pair i at position p is p · frequencies[i], and sine and cosine are
    /// multiplied by `magnitude`.
    public struct Rotary: Hashable, Sendable, Codable {
        public enum Scaling: Hashable, Sendable, Codable {
            case none
            /// All frequencies divided by `factor`.
            case linear(factor: Double)
            /// Llama 3.1's: low frequencies divided, high ones kept, a ramp between.
            case llama3(factor: Double, lowFactor: Double, highFactor: Double, originalContext: Int)
            /// Phi-3's: one divisor for each frequency, short up to the original context, long past it.
            case longRope(short: [Double], long: [Double], originalContext: Int)
            /// A divisor for each frequency, as a GGUF's `rope_freqs` stores them.
            case factors([Double])
            /// YaRN.
            case yarn(
                factor: Double, originalContext: Int, betaFast: Double, betaSlow: Double, extrapolation: Double)
        }
        public var base: Double
        /// How many elements of a head are turned (the rest pass through).
        public var dimension: Int
        public var scaling: Scaling
        public var magnitude: Double

        public init(base: Double, dimension: Int, scaling: Scaling = .none, magnitude: Double = 1) {
            self.base = base
            self.dimension = dimension
            self.scaling = scaling
            self.magnitude = magnitude
        }
    }

    public struct Layer: Hashable, Sendable, Codable {
        /// A row sees itself and the `slidingWindow - 1` positions before it; `nil`: all.
        public var slidingWindow: Int?
        /// Index into `rotaries`; `nil`: no rotary embedding in this layer.
        public var rotary: Int?

        public init(slidingWindow: Int? = nil, rotary: Int? = 0) {
            self.slidingWindow = slidingWindow
            self.rotary = rotary
        }
    }

    public var family: String
    public var vocabularySize: Int
    public var hiddenSize: Int
    public var feedForwardSize: Int
    public var headCount: Int
    public var keyValueHeadCount: Int
    public var headSize: Int
    public var contextLength: Int
    public var layers: [Layer]
    public var rotaries: [Rotary]
    public var rotaryOrder: RotaryOrder
    public var normEpsilon: Double
    /// Norms a block has: before attention, after attention (before the residual addition), before and after the
    /// feed-forward part. A norm's weight multiplies as stored once passes have run (Gemma's +1 is a pass).
    public var attentionNorm: Bool
    public var postAttentionNorm: Bool
    public var feedForwardNorm: Bool
    public var postFeedForwardNorm: Bool
    public var queryKeyNorm: QueryKeyNorm
    public var activation: Activation
    /// Multiplies an embedded row before the first block (Gemma: sqrt(d), rounded to bfloat16 where the reference
    /// does; Granite: its embedding multiplier).
    public var embeddingScale: Double
    /// Multiplies what each half of a block adds to the residual stream.
    public var residualScale: Double
    /// Multiplies query · key.
    public var attentionScale: Double
    public var attentionSoftCap: Double?
    /// Multiplies the logits (Granite divides: 1 / its logits_scaling); before the soft cap.
    public var logitScale: Double
    public var finalSoftCap: Double?
    /// The unembedding is the embedding table.
    public var tiedEmbeddings: Bool

    public init(
        family: String, vocabularySize: Int, hiddenSize: Int, feedForwardSize: Int, headCount: Int,
        keyValueHeadCount: Int, headSize: Int, contextLength: Int, layers: [Layer], rotaries: [Rotary],
        rotaryOrder: RotaryOrder = .halves, normEpsilon: Double = 1e-5, attentionNorm: Bool = true,
        postAttentionNorm: Bool = false, feedForwardNorm: Bool = true, postFeedForwardNorm: Bool = false,
        queryKeyNorm: QueryKeyNorm = .none, activation: Activation = .silu, embeddingScale: Double = 1,
        residualScale: Double = 1, attentionScale: Double, attentionSoftCap: Double? = nil, logitScale: Double = 1,
        finalSoftCap: Double? = nil, tiedEmbeddings: Bool
    ) {
        self.family = family
        self.vocabularySize = vocabularySize
        self.hiddenSize = hiddenSize
        self.feedForwardSize = feedForwardSize
        self.headCount = headCount
        self.keyValueHeadCount = keyValueHeadCount
        self.headSize = headSize
        self.contextLength = contextLength
        self.layers = layers
        self.rotaries = rotaries
        self.rotaryOrder = rotaryOrder
        self.normEpsilon = normEpsilon
        self.attentionNorm = attentionNorm
        self.postAttentionNorm = postAttentionNorm
        self.feedForwardNorm = feedForwardNorm
        self.postFeedForwardNorm = postFeedForwardNorm
        self.queryKeyNorm = queryKeyNorm
        self.activation = activation
        self.embeddingScale = embeddingScale
        self.residualScale = residualScale
        self.attentionScale = attentionScale
        self.attentionSoftCap = attentionSoftCap
        self.logitScale = logitScale
        self.finalSoftCap = finalSoftCap
        self.tiedEmbeddings = tiedEmbeddings
    }
}
