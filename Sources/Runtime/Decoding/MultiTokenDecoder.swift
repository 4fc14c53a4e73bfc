import ModelGraph

/// Decodes with a graft's masks, with drafts from the text, or both: the tokens of plain decoding in fewer passes.
public final class MultiTokenDecoder: TokenDecoder {
    /// Which rows a step feeds.
    public enum Layout: String, CaseIterable, Hashable, Sendable, Codable {
        /// Masks after the last draft only.
        case linear
        /// Masks after every token whose acceptance is possible.
        case quadratic
        /// What pays most on this machine for this text; plain decoding where nothing does.
        case adaptive
    }

    public struct Options: Hashable, Sendable {
        public var layout: Layout
        /// Masks of a block; `nil`: the graft's. 0: drafts from the text alone.
        public var masks: Int?
        /// Candidates that the sampler head scores for each mask; 0: the whole vocabulary.
        public var shortlist: Int
        /// Longest draft from the text itself; 0: none.
        public var lookup: Int

        public init(layout: Layout = .adaptive, masks: Int? = nil, shortlist: Int = 32, lookup: Int = 0) {
            self.layout = layout
            self.masks = masks
            self.shortlist = shortlist
            self.lookup = lookup
        }
    }

    public let name: String
    public private(set) var statistics = DecodingStatistics()
    /// What became of drafts since the decoder was made.
    public var draftCounts: DraftCounts { engine.counts }
    /// Called after each step.
    public var onTrace: ((DecodeTrace) -> Void)? {
        get { engine.onTrace }
        set { engine.onTrace = newValue }
    }

    private let engine: MultiTokenEngine<TransformerPort>
    private let port: TransformerPort
    private var plannerBefore = 0.0

    /// - Parameters:
    ///   - sequence: made with the same graft as its adaptation.
    ///   - costs: what rows cost on this machine; needed by the adaptive layout, see `StepCosts.measured`.
    /// - Throws: `ModelError.graft` with GR-14 when more masks are asked for than the graft has; `RuntimeError.options`.
    public init(
        _ sequence: TokenSequence, graft: LoadedGraft?, options: Options = .init(),
        sampling: SamplingOptions = .greedy, costs: StepCosts? = nil
    ) throws {
        let available = graft?.maskCount ?? 0
        let masks = options.masks ?? available
        guard masks <= available else {
            throw ModelError.graft(.tooManyMasks(asked: masks, masks: available))
        }
        guard masks >= 0, options.shortlist >= 0, options.lookup >= 0 else {
            throw RuntimeError.options("masks, shortlist and lookup cannot be negative")
        }
        guard options.layout != .adaptive || costs != nil else {
            throw RuntimeError.options("the adaptive layout needs the machine's costs")
        }
        name = options.layout.rawValue
        port = try TransformerPort(sequence, graft: graft, shortlist: options.shortlist)
        let strategy: MultiTokenEngine<TransformerPort>.Strategy =
            switch options.layout {
            case .linear: .linear
            case .quadratic: .quadratic
            case .adaptive: .adaptive
            }
        engine = MultiTokenEngine(
            model: port, strategy: strategy, masks: masks, lookupLimit: options.lookup,
            chooser: TokenSampler(sampling), costs: costs)
    }

    public func start(prompt: [Int]) throws {
        precondition(!prompt.isEmpty, "a prompt has at least one token")
        let started = ContinuousClock.now
        try engine.start(prompt: prompt)
        statistics = DecodingStatistics()
        statistics.promptTokens = prompt.count
        statistics.promptSeconds = started.duration(to: .now).seconds
        port.resetTimes()
        plannerBefore = engine.plannerSeconds
    }

    public func step(limit: Int) throws -> [Int] {
        let started = ContinuousClock.now
        let tokens = try engine.step(limit: limit)
        statistics.steps += 1
        statistics.rows += engine.lastPlan.rowCount
        statistics.tokens += tokens.count
        let times = port.sequence.times
        statistics.layersSeconds = times.layers.seconds
        statistics.attentionSeconds = times.attention.seconds
        statistics.unembeddingSeconds = (times.unembedding + port.draftLogitsTime).seconds
        statistics.samplerSeconds = (port.samplerTime + port.choiceTime).seconds
        statistics.plannerSeconds = engine.plannerSeconds - plannerBefore
        statistics.seconds += started.duration(to: .now).seconds
        return tokens
    }
}
