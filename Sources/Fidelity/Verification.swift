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
        /// Where the reference's record comes from or goes.
        public var record = RecordUse.temporary
        /// Leave out prompts that do not fit the context, instead of stopping.
        public var skipsLongPrompts = false
        public var command = "foretoken verify"
        public var version = ""
        public var machine = "this machine"
        public var date = ""

        public init() {}
    }

    /// What becomes of the record of what the reference said.
    public enum RecordUse: Sendable, Equatable {
        /// It goes when it is not needed any more.
        case temporary
        case save(path: String, overwrites: Bool)
        /// The reference is not run.
        case read(path: String)
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
    ///   - text: `nil`: the text of the record that is read, or one that the reference writes itself, sampled at
    ///     temperature 1.
    ///   - prompts: `nil`: beginnings of the text's windows.
    ///   - graft: a graft of all candidates; a candidate with a graft inside brings its own.
    public func run(
        text: Text?, prompts: [Prompt]?, graft: CandidateGraft? = nil
    ) throws -> FidelityReport {
        let prompts = try prompts.map { try encode($0) }
        let (record, peak) = try referenceRecord(text)
        let first = try record.window(0).tokens
        let sample = text.map { String($0.content.prefix(20_000)) } ?? reference.decode(first)
        let encoded = try prompts ?? beginnings(record)
        // One model after the other: none is in memory beside another.
        var results: [CandidateResult] = []
        var perplexity: Estimate?
        for candidate in candidates {
            let examination = Examination(
                verification: self, candidate: candidate, graft: try graft ?? CandidateGraft(inside: candidate),
                record: record)
            let (result, theirs) = try examination.run(prompts: encoded, text: sample)
            perplexity = theirs
            results.append(result)
        }
        var summary = reference.summary()
        summary.perplexity = perplexity?.value
        summary.perplexityError = perplexity?.standardError
        summary.peakMemoryBytes = peak
        return report(results, reference: summary, record: record)
    }

    private func report(
        _ results: [CandidateResult], reference: ModelSummary, record: ReferenceRecord
    ) -> FidelityReport {
        let limits = results.flatMap(options.limits.results)
        func passes(_ candidate: CandidateResult) -> Bool {
            !candidate.findings.contains { $0.severity == .failure }
                && candidate.equality?.equal != false
                && limits.allSatisfy { $0.candidate != candidate.model.name || $0.passed }
        }
        let passing = results.filter(passes)
        let several = results.count > 1
        let recommended = several ? Frontier.choice(passing, limits: options.limits)?.model.name : nil
        // Of several, one that meets the limits is enough; without limits, none may be broken.
        let passed = several && !limits.isEmpty ? recommended != nil : passing.count == results.count
        return FidelityReport(
            reference: reference, candidates: results, passed: passed,
            verdict: VerdictSentence.write(results, limits: limits, recommended: recommended), limits: limits,
            recommended: recommended,
            text: TextSummary(
                name: record.settings.textName, tokens: record.tokenCount, scored: record.rowCount,
                context: record.context),
            command: options.command,
            machine: MachineSummary(
                processor: options.machine, threads: pool.threads, instructionSet: pool.instructionSet.rawValue,
                date: options.date, version: options.version))
    }
}
