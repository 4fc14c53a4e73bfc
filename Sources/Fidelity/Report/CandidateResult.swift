/// One candidate against the reference.
public struct CandidateResult: Codable, Equatable, Sendable {
    public var model: ModelSummary
    public var kl: DivergenceSummary
    public var top1Agreement: Estimate
    public var top5Overlap: Double
    /// KL at each percentile 0 … 100.
    public var percentiles: [Double]
    public var positions: [PositionBucket]
    public var layers: [LayerDifference]
    public var tensors: [TensorDifference]
    public var passages: [Passage]
    public var equality: Equality?
    public var decoders: [DecoderResult]
    /// Time of one forward pass by number of rows, logits of all rows.
    public var forward: [ForwardTime]
    public var findings: [Finding]

    public init(
        model: ModelSummary, kl: DivergenceSummary, top1Agreement: Estimate, top5Overlap: Double,
        percentiles: [Double], positions: [PositionBucket], layers: [LayerDifference] = [],
        tensors: [TensorDifference] = [], passages: [Passage] = [], equality: Equality? = nil,
        decoders: [DecoderResult] = [], forward: [ForwardTime] = [], findings: [Finding] = []
    ) {
        self.model = model
        self.kl = kl
        self.top1Agreement = top1Agreement
        self.top5Overlap = top5Overlap
        self.percentiles = percentiles
        self.positions = positions
        self.layers = layers
        self.tensors = tensors
        self.passages = passages
        self.equality = equality
        self.decoders = decoders
        self.forward = forward
        self.findings = findings
    }
}

/// Divergence of the positions [from, to) of a window.
public struct PositionBucket: Codable, Equatable, Sendable {
    public var from: Int
    public var to: Int
    public var kl: Double
    public var top1Agreement: Double

    public init(from: Int, to: Int, kl: Double, top1Agreement: Double) {
        self.from = from
        self.to = to
        self.kl = kl
        self.top1Agreement = top1Agreement
    }
}

/// The hidden state after a block (block -1: the embedded row), candidate against reference.
public struct LayerDifference: Codable, Equatable, Sendable {
    public var layer: Int
    /// ‖candidate - reference‖ / ‖reference‖ over all rows looked at.
    public var relativeError: Double
    /// Mean cosine of the angle between the rows.
    public var cosine: Double

    public init(layer: Int, relativeError: Double, cosine: Double) {
        self.layer = layer
        self.relativeError = relativeError
        self.cosine = cosine
    }
}

/// A weight, candidate against reference, both decoded.
public struct TensorDifference: Codable, Equatable, Sendable {
    public var name: String
    public var referenceType: String
    public var type: String
    public var bytes: Int
    public var bitsPerWeight: Double
    /// ‖candidate - reference‖ / ‖reference‖.
    public var relativeError: Double

    public init(
        name: String, referenceType: String, type: String, bytes: Int, bitsPerWeight: Double, relativeError: Double
    ) {
        self.name = name
        self.referenceType = referenceType
        self.type = type
        self.bytes = bytes
        self.bitsPerWeight = bitsPerWeight
        self.relativeError = relativeError
    }
}

/// A place in the text where the candidate differs most, in words.
public struct Passage: Codable, Equatable, Sendable {
    public struct Choice: Codable, Equatable, Sendable {
        public var text: String
        public var probability: Double

        public init(text: String, probability: Double) {
            self.text = text
            self.probability = probability
        }
    }
    /// Index of the token in the scored text.
    public var position: Int
    public var kl: Double
    public var before: String
    public var token: String
    public var reference: [Choice]
    public var candidate: [Choice]

    public init(position: Int, kl: Double, before: String, token: String, reference: [Choice], candidate: [Choice]) {
        self.position = position
        self.kl = kl
        self.before = before
        self.token = token
        self.reference = reference
        self.candidate = candidate
    }
}

/// Whether multi-token decoding wrote what plain decoding wrote.
public struct Equality: Codable, Equatable, Sendable {
    public struct Fork: Codable, Equatable, Sendable {
        public var decoder: String
        public var masks: Int
        public var prompt: Int
        /// Index of the first generated token that differs.
        public var token: Int

        public init(decoder: String, masks: Int, prompt: Int, token: Int) {
            self.decoder = decoder
            self.masks = masks
            self.prompt = prompt
            self.token = token
        }
    }
    public var prompts: Int
    public var tokens: Int
    public var forks: [Fork]
    public var equal: Bool { forks.isEmpty }

    public init(prompts: Int, tokens: Int, forks: [Fork]) {
        self.prompts = prompts
        self.tokens = tokens
        self.forks = forks
    }
}

/// One way of decoding, on all prompts or on those of one category.
public struct DecoderResult: Codable, Equatable, Sendable {
    public var name: String
    /// Masks per block; 0 for plain decoding.
    public var masks: Int
    /// Prompt category; absent for all prompts together.
    public var category: String?
    /// Tokens generated per forward step.
    public var acceptance: Double
    public var tokensPerSecond: Double
    /// Plain decoding's time / this decoder's time, same prompts, in alternation; the median of the repeats.
    public var speedup: Double
    public var speedupLow: Double
    public var speedupHigh: Double
    /// Seconds by part: layers, sampler, unembedding, attention, planner.
    public var secondsByPart: [String: Double]

    public init(
        name: String, masks: Int, category: String? = nil, acceptance: Double, tokensPerSecond: Double,
        speedup: Double, speedupLow: Double, speedupHigh: Double, secondsByPart: [String: Double] = [:]
    ) {
        self.name = name
        self.masks = masks
        self.category = category
        self.acceptance = acceptance
        self.tokensPerSecond = tokensPerSecond
        self.speedup = speedup
        self.speedupLow = speedupLow
        self.speedupHigh = speedupHigh
        self.secondsByPart = secondsByPart
    }
}

public struct ForwardTime: Codable, Equatable, Sendable {
    public var rows: Int
    public var seconds: Double

    public init(rows: Int, seconds: Double) {
        self.rows = rows
        self.seconds = seconds
    }
}

/// Something that is wrong, with its likely cause and what to do.
public struct Finding: Codable, Equatable, Sendable {
    public enum Severity: String, Codable, Sendable { case failure, warning, note }
    /// A stable name of the cause: `rotaryOrder`, `tokenizer`, `draftsNeverAccepted`, …
    public var cause: String
    public var severity: Severity
    public var message: String

    public init(cause: String, severity: Severity, message: String) {
        self.cause = cause
        self.severity = severity
        self.message = message
    }
}
