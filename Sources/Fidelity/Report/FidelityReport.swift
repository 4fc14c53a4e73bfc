/// Everything `verify` found out, as the JSON document whose schema is formats/report.schema.json.
///
/// Seconds, bytes, nats and shares (0 … 1) throughout; nothing is rounded.
public struct FidelityReport: Codable, Equatable, Sendable {
    /// Version of this document's layout.
    public static let currentVersion = 1

    public var version = FidelityReport.currentVersion
    public var reference: ModelSummary
    /// The first candidate; `candidates` lists all when there were several.
    public var candidate: ModelSummary
    public var kl: DivergenceSummary
    public var top1Agreement: Double
    public var top1AgreementError: Double
    /// Mean share of the reference's five most likely tokens that are among the candidate's five.
    public var top5Overlap: Double
    /// Multi-token output equals plain output on every prompt; absent when no prompts were run.
    public var equal: Bool?
    public var decoders: [DecoderResult]
    public var passed: Bool
    public var verdict: String
    public var findings: [Finding]
    public var limits: [LimitResult]
    public var candidates: [CandidateResult]
    /// Which candidate to ship under the limits given, by name; absent when none meets them or there is one only.
    public var recommended: String?
    /// Candidates that no other beats in size and divergence at once, by name.
    public var frontier: [String]
    public var text: TextSummary
    public var command: String
    public var machine: MachineSummary

    public init(
        reference: ModelSummary, candidates: [CandidateResult], passed: Bool, verdict: String,
        limits: [LimitResult], recommended: String?, text: TextSummary, command: String, machine: MachineSummary
    ) {
        precondition(!candidates.isEmpty, "a report is about at least one candidate")
        let first = candidates[0]
        self.reference = reference
        candidate = first.model
        kl = first.kl
        top1Agreement = first.top1Agreement.value
        top1AgreementError = first.top1Agreement.standardError
        top5Overlap = first.top5Overlap
        equal = first.equality?.equal
        decoders = first.decoders
        findings = first.findings
        self.passed = passed
        self.verdict = verdict
        self.limits = limits
        self.candidates = candidates
        self.recommended = recommended
        frontier = Frontier.names(candidates)
        self.text = text
        self.command = command
        self.machine = machine
    }
}

public struct ModelSummary: Codable, Equatable, Sendable {
    public var name: String
    public var format: String
    public var family: String
    /// Bytes of the model's files, graft included.
    public var bytes: Int
    public var parameters: Int
    public var bitsPerWeight: Double
    /// The element type that holds most of the weights.
    public var mainType: String
    public var graft: String?
    public var perplexity: Double?
    public var perplexityError: Double?
    /// The most that the process held resident while this model, and no other, was loaded and run.
    public var peakMemoryBytes: Int?
    public var tokensPerSecond: Double?

    public init(
        name: String, format: String, family: String, bytes: Int, parameters: Int, bitsPerWeight: Double,
        mainType: String, graft: String? = nil, perplexity: Double? = nil, perplexityError: Double? = nil,
        peakMemoryBytes: Int? = nil, tokensPerSecond: Double? = nil
    ) {
        self.name = name
        self.format = format
        self.family = family
        self.bytes = bytes
        self.parameters = parameters
        self.bitsPerWeight = bitsPerWeight
        self.mainType = mainType
        self.graft = graft
        self.perplexity = perplexity
        self.perplexityError = perplexityError
        self.peakMemoryBytes = peakMemoryBytes
        self.tokensPerSecond = tokensPerSecond
    }
}

/// A limit given on the command line and how the candidate stands to it.
public struct LimitResult: Codable, Equatable, Sendable {
    public var candidate: String
    public var name: String
    public var limit: Double
    public var value: Double?
    public var passed: Bool

    public init(candidate: String, name: String, limit: Double, value: Double?, passed: Bool) {
        self.candidate = candidate
        self.name = name
        self.limit = limit
        self.value = value
        self.passed = passed
    }
}

public struct TextSummary: Codable, Equatable, Sendable {
    public var name: String
    public var tokens: Int
    public var scored: Int
    public var context: Int

    public init(name: String, tokens: Int, scored: Int, context: Int) {
        self.name = name
        self.tokens = tokens
        self.scored = scored
        self.context = context
    }
}

public struct MachineSummary: Codable, Equatable, Sendable {
    public var processor: String
    public var threads: Int
    public var instructionSet: String
    public var date: String
    public var version: String

    public init(processor: String, threads: Int, instructionSet: String, date: String, version: String) {
        self.processor = processor
        self.threads = threads
        self.instructionSet = instructionSet
        self.date = date
        self.version = version
    }
}
