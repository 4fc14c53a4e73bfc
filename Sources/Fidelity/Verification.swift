import Foundation
public import Kernels
import ModelGraph
public import Runtime
public import TensorFiles
import Tokenizers

/// Compares candidates with a reference: what was lost, what was gained, and why.
public struct Verification {
    public struct Options {
        public var limits = FidelityLimits()
        /// Tokens of a window; `nil`: 512, or what the models can hold.
        public var context: Int?
        /// At most so many tokens of the text are used.
        public var tokenLimit: Int?
        public var precision = ActivationPrecision.int8
        public var cache = KeyValueStore.Precision.f16
        /// Tokens generated for each prompt, and how often each decoder runs it.
        public var generated = 100
        public var repeats = 2
        /// Candidates that the sampler head scores for each mask; 0: the whole vocabulary.
        public var shortlist = 32
        /// Take a graft that was made for another file of the same shape.
        public var trustsBase = false
        /// Tensors, layers and causes; without them only the text and the prompts are compared.
        public var examinesTensors = true
        /// Forward passes timed for T(rows); empty for none.
        public var rows = [1, 2, 4, 8, 9, 16, 25, 32, 81]
        public var command = "foretoken verify"
        public var version = ""
        public var machine = "this machine"
        public var date = ""

        public init() {}
    }

    /// Text to score, with the name that the report gives it.
    public struct Text: Sendable {
        public var name: String
        public var content: String

        public init(name: String, content: String) {
            self.name = name
            self.content = content
        }
    }

    let reference: Subject
    let candidates: [Subject]
    let options: Options
    let pool: WorkerPool
    let progress: ProgressHandler?

    public init(
        reference: Subject, candidates: [Subject], options: Options, pool: WorkerPool,
        progress: ProgressHandler? = nil
    ) throws(FidelityError) {
        for candidate in candidates {
            let sizes = (reference.vocabularySize, candidate.vocabularySize)
            guard sizes.0 == sizes.1 else { throw .vocabularies(reference: sizes.0, candidate: sizes.1) }
        }
        self.reference = reference
        self.candidates = candidates
        self.options = options
        self.pool = pool
        self.progress = progress
    }

    /// - Parameters:
    ///   - text: `nil`: the reference writes the text itself, sampled at temperature 1.
    ///   - prompts: `nil`: beginnings of the text's windows.
    ///   - graft: a graft of all candidates; a candidate with a graft inside brings its own.
    public func run(
        text: Text?, prompts: [Prompt]?, graft: CandidateGraft? = nil
    ) throws -> FidelityReport {
        let referencePrecision: ActivationPrecision = reference.isQuantized ? options.precision : .float32
        let model = try reference.load(precision: referencePrecision, pool: pool, progress: progress)
        let models = try candidates.map { try $0.load(precision: options.precision, pool: pool, progress: progress) }
        let (plan, tokens) = try scoringPlan(text, reference: model)
        let sample = text.map { String($0.content.prefix(20_000)) } ?? reference.decode(Array(tokens.prefix(4000)))
        let encoded = try encode(prompts, plan: plan)

        let measurement = try DivergenceMeasurement(
            plan: plan, reference: model, candidates: models, pool: pool, cache: options.cache)
        let samples = try measurement.run(progress: progress)

        var results: [CandidateResult] = []
        for (index, candidate) in candidates.enumerated() {
            let examined = Examination(
                verification: self, candidate: candidate, graft: try graft ?? CandidateGraft(inside: candidate),
                referenceModel: model,
                model: models[index], sample: samples[index], plan: plan)
            results.append(try examined.run(prompts: encoded, tokens: tokens, text: sample))
        }
        return report(results, model: model, samples: samples, plan: plan, textName: text?.name)
    }

    // MARK: Text and prompts

    private func scoringPlan(_ text: Text?, reference model: Transformer) throws -> (ScoringPlan, [Int]) {
        let longest = ([model.configuration] + candidates.map(\.graph.configuration)).map(\.contextLength).min() ?? 4
        let context = options.context ?? min(512, longest)
        guard (4...longest).contains(context) else {
            throw FidelityError.context(given: context, limit: longest, model: reference.name)
        }
        let beginning = reference.tokenizer?.tokensBefore.first
        let tokens: [Int]
        if let text {
            guard let tokenizer = reference.tokenizer else {
                throw FidelityError.noTokenizer(path: reference.path, reason: reference.tokenizerProblem ?? "none")
            }
            tokens = try tokenizer.encode(text.content, parseSpecial: false)
        } else {
            let writer = SelfWrittenText(model: model, beginning: beginning, cache: options.cache)
            tokens = try writer.tokens(options.tokenLimit ?? 2048, window: context, progress: progress)
        }
        let plan = try ScoringPlan(
            tokens: tokens, context: context, beginning: beginning, limit: options.tokenLimit)
        return (plan, (beginning.map { [$0] } ?? []) + tokens)
    }

    private func encode(_ prompts: [Prompt]?, plan: ScoringPlan) throws -> [EncodedPrompt] {
        let limit = candidates.map(\.graph.configuration.contextLength).min() ?? 0
        guard let prompts else {
            return plan.windows.prefix(8).map { window in
                let length = min(64, max(1, window.tokens.count / 2), max(1, limit - options.generated - 1))
                return EncodedPrompt(tokens: Array(window.tokens.prefix(length)))
            }
        }
        guard !prompts.isEmpty else { throw FidelityError.noPrompts }
        guard let tokenizer = reference.tokenizer else {
            throw FidelityError.noTokenizer(path: reference.path, reason: reference.tokenizerProblem ?? "none")
        }
        return try prompts.enumerated().map { number, prompt in
            let tokens = try tokenizer.encode(prompt.text, addSpecialTokens: true)
            guard tokens.count + options.generated < limit else {
                throw FidelityError.promptTooLong(
                    prompt: number, tokens: tokens.count, limit: max(0, limit - options.generated - 1))
            }
            guard !tokens.isEmpty else { throw FidelityError.noPrompts }
            return EncodedPrompt(tokens: tokens, category: prompt.category)
        }
    }

    // MARK: Result

    private func report(
        _ results: [CandidateResult], model: Transformer, samples: [DivergenceSample], plan: ScoringPlan,
        textName: String?
    ) -> FidelityReport {
        var summary = reference.summary()
        summary.perplexity = samples.first?.referencePerplexity.value
        summary.perplexityError = samples.first?.referencePerplexity.standardError
        summary.peakMemoryBytes = memory(of: model, context: plan.context)
        let limits = results.flatMap(options.limits.results)
        func passes(_ candidate: CandidateResult) -> Bool {
            !candidate.findings.contains { $0.severity == .failure }
                && candidate.equality?.equal != false
                && limits.allSatisfy { $0.candidate != candidate.model.name || $0.passed }
        }
        let recommended =
            results.count > 1
            ? results.filter(passes).min { ($0.model.bytes, $0.kl.mean) < ($1.model.bytes, $1.kl.mean) }?.model.name
            : nil
        let passed = results.count > 1 ? recommended != nil : results.allSatisfy(passes)
        return FidelityReport(
            reference: summary, candidates: results, passed: passed,
            verdict: VerdictSentence.write(results, limits: limits, recommended: recommended), limits: limits,
            recommended: recommended,
            text: TextSummary(
                name: textName ?? "written by the reference itself", tokens: plan.tokenCount,
                scored: plan.scoredCount, context: plan.context),
            command: options.command,
            machine: MachineSummary(
                processor: options.machine, threads: pool.threads, instructionSet: pool.instructionSet.rawValue,
                date: options.date, version: options.version))
    }

    /// Weights as laid out for the kernels, and the cache of one window.
    func memory(of model: Transformer, context: Int) -> Int {
        let cache = TokenSequence.cacheBytes(model.configuration, capacity: context, precision: options.cache)
        return model.byteCount + (cache ?? 0)
    }
}
