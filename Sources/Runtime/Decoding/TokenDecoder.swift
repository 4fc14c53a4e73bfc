/// A way to get from a prompt to the tokens after it: one at a time, or several that one pass settles.
///
/// All decoders give the tokens that plain decoding would (greedy: the same tokens; sampled: the same distribution);
/// they differ in how many passes they need. A decoder owns its sequence.
public protocol TokenDecoder: AnyObject {
    /// `plain`, `linear`, …
    var name: String { get }

    /// Forgets what came before and takes in the prompt, which has at least one token.
    func start(prompt: [Int]) throws

    /// The tokens that one more pass settles, in order: at least one and at most `limit`, which is at least one.
    ///
    /// A token given is part of the sequence from then on; a caller that stops inside the list just stops calling.
    func step(limit: Int) throws -> [Int]

    /// Of the tokens since `start`.
    var statistics: DecodingStatistics { get }
}

/// What decoding cost, by part.
public struct DecodingStatistics: Hashable, Sendable, Codable {
    /// Passes after the prompt's.
    public var steps = 0
    /// Rows of all these passes.
    public var rows = 0
    public var tokens = 0
    public var promptTokens = 0
    public var promptSeconds = 0.0
    public var seconds = 0.0
    /// Of `seconds`, by what they were spent on.
    public var layersSeconds = 0.0
    public var attentionSeconds = 0.0
    public var unembeddingSeconds = 0.0
    public var samplerSeconds = 0.0
    public var plannerSeconds = 0.0

    public init() {}

    /// Tokens by pass: the acceptance rate.
    public var tokensPerStep: Double { steps == 0 ? 0 : Double(tokens) / Double(steps) }
    public var tokensPerSecond: Double { seconds == 0 ? 0 : Double(tokens) / seconds }
}
