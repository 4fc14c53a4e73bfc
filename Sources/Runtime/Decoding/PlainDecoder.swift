/// One token for each pass: what every other decoder is held to.
public final class PlainDecoder: TokenDecoder {
    public let name = "plain"
    public private(set) var statistics = DecodingStatistics()

    private let sequence: TokenSequence
    private var sampler: TokenSampler
    /// Prompt and tokens so far; the last one has not been through the model yet.
    private var history: [Int] = []

    public init(_ sequence: TokenSequence, sampling: SamplingOptions = .greedy) {
        self.sequence = sequence
        sampler = TokenSampler(sampling)
    }

    public func start(prompt: [Int]) throws {
        precondition(!prompt.isEmpty, "a prompt has at least one token")
        let started = ContinuousClock.now
        sequence.truncate(to: 0)
        try sequence.append(Array(prompt.dropLast()))
        history = prompt
        sampler = TokenSampler(sampler.options)
        statistics = DecodingStatistics()
        statistics.promptTokens = prompt.count
        statistics.promptSeconds = started.duration(to: .now).seconds
        sequence.times = PassDurations()
    }

    public func step(limit: Int) throws -> [Int] {
        let started = ContinuousClock.now
        try sequence.forward([Row(.token(history[history.count - 1]), after: nil)])
        let logits = try sequence.logits(of: [0])
        let chosen = ContinuousClock.now
        let token =
            sampler.options.isPlainlyGreedy
            ? logits.largest(0) : logits.withRow(0) { sampler.next(logits: $0, history: history) }
        sequence.keep([0])
        history.append(token)
        statistics.steps += 1
        statistics.rows += 1
        statistics.tokens += 1
        statistics.samplerSeconds += chosen.duration(to: .now).seconds
        statistics.seconds += started.duration(to: .now).seconds
        statistics.layersSeconds = sequence.times.layers.seconds
        statistics.attentionSeconds = sequence.times.attention.seconds
        statistics.unembeddingSeconds = sequence.times.unembedding.seconds
        return [token]
    }
}
