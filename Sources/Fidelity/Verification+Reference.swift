import Kernels
import ModelGraph
import Runtime
import TensorFiles
import Tokenizers

extension Verification {
    /// What the reference said, from a file or from running it; and the memory that running it took.
    func referenceRecord(_ text: Text?) throws -> (ReferenceRecord, peak: Int?) {
        let precision: ActivationPrecision = reference.isQuantized ? options.precision : .float32
        var settings = ReferenceRecord.Settings(
            digest: "", textName: text?.name ?? "written by the reference itself", precision: precision.rawValue,
            cache: options.cache.rawValue)
        if options.record != .temporary {
            settings.digest = try ReferenceRecord.digest(of: reference, threads: pool.threads, progress: progress)
        }
        if case .read(let path) = options.record {
            let record = try ReferenceRecord(path: path)
            let plan = try text.map { try scoringPlan(try tokens(of: $0)) }
            try record.check(against: settings, vocabulary: reference.vocabularySize, plan: plan)
            return (record, nil)
        }
        let context = try self.context()
        let given = try text.map { try tokens(of: $0) }
        if let given, given.count < ScoringPlan.fewestTokens {
            throw FidelityError.textTooShort(tokens: given.count, needed: ScoringPlan.fewestTokens)
        }
        var target: (path: String, overwrites: Bool)?
        if case .save(let path, let overwrites) = options.record { target = (path, overwrites) }
        return try PeakMemory.around {
            let model = try reference.load(precision: precision, pool: pool, progress: progress)
            let writer = SelfWrittenText(
                model: model, beginning: reference.tokenizer?.tokensBefore.first, cache: options.cache)
            let tokens = try given ?? writer.tokens(options.tokenLimit ?? 2048, window: context, progress: progress)
            let recorder = ReferenceRecorder(
                model: model, plan: try scoringPlan(tokens), settings: settings, cache: options.cache)
            return try recorder.write(
                to: target?.path, overwrites: target?.overwrites ?? false, progress: progress)
        }
    }

    /// Tokens of a window: as asked for, or what all models hold.
    private func context() throws(FidelityError) -> Int {
        let graphs = [reference.graph] + candidates.map(\.graph)
        let longest = graphs.map(\.configuration.contextLength).min() ?? 4
        let context = options.context ?? min(512, longest)
        guard (4...longest).contains(context) else {
            throw .context(given: context, limit: longest, model: reference.name)
        }
        return context
    }

    private func scoringPlan(_ tokens: [Int]) throws -> ScoringPlan {
        try ScoringPlan(
            tokens: tokens, context: context(), beginning: reference.tokenizer?.tokensBefore.first,
            limit: options.tokenLimit)
    }

    private func tokens(of text: Text) throws -> [Int] {
        try requireTokenizer().encode(text.content, parseSpecial: false)
    }

    private func requireTokenizer() throws(FidelityError) -> Tokenizer {
        guard let tokenizer = reference.tokenizer else {
            throw .noTokenizer(path: reference.path, reason: reference.tokenizerProblem ?? "none")
        }
        return tokenizer
    }

    /// Prompts in tokens; those that do not fit are an error or left out, as the options say.
    func encode(_ prompts: [Prompt]) throws -> [EncodedPrompt] {
        guard !prompts.isEmpty else { throw FidelityError.noPrompts }
        let inputs = try PromptReader(tokenizer: try requireTokenizer()).encode(prompts).prompts
        let longest = candidates.map(\.graph.configuration.contextLength).min() ?? 0
        let limit = max(0, longest - options.generated - 1)
        let long = inputs.indices.filter { inputs[$0].tokens.count > limit }
        let fitting = inputs.filter { !$0.tokens.isEmpty && $0.tokens.count <= limit }
        if let first = long.first, !options.skipsLongPrompts || fitting.isEmpty {
            throw FidelityError.promptTooLong(
                prompt: first, tokens: inputs[first].tokens.count, limit: limit, count: long.count)
        }
        guard !fitting.isEmpty else { throw FidelityError.noPrompts }
        return fitting.map { EncodedPrompt(tokens: $0.tokens, category: $0.category) }
    }

    /// Beginnings of the text's windows, for want of prompts.
    func beginnings(_ record: ReferenceRecord) throws -> [EncodedPrompt] {
        let longest = candidates.map(\.graph.configuration.contextLength).min() ?? 0
        let length = min(64, max(1, record.context / 2), max(1, longest - options.generated - 1))
        return try (0..<min(8, record.windowCount)).map {
            EncodedPrompt(tokens: Array(try record.window($0).tokens.prefix(length)))
        }
    }
}
