import Kernels
import ModelGraph
import Runtime
import TensorFiles
import Tokenizers

/// Everything about one candidate, once the text has been compared.
struct Examination {
    let verification: Verification
    let candidate: Subject
    let graft: CandidateGraft?
    let referenceModel: Transformer
    let model: Transformer
    let sample: DivergenceSample
    let plan: ScoringPlan

    private var options: Verification.Options { verification.options }
    private var reference: Subject { verification.reference }

    func run(prompts: [EncodedPrompt], tokens: [Int], text: String) throws -> CandidateResult {
        var summary = candidate.summary(graftPath: graft?.path)
        summary.perplexity = sample.candidatePerplexity.value
        summary.perplexityError = sample.candidatePerplexity.standardError
        summary.peakMemoryBytes = verification.memory(of: model, context: plan.context)
        var result = CandidateResult(
            model: summary, kl: sample.kl, top1Agreement: sample.top1Agreement, top5Overlap: sample.top5Overlap,
            percentiles: sample.percentiles, positions: sample.buckets(16))
        result.passages = passages(tokens)

        try compareSpeed(prompts, in: &result)
        if let finding = TokenizerDiagnosis.finding(reference: reference, candidate: candidate, sample: text) {
            result.findings.append(finding)
        }
        if options.examinesTensors {
            let comparisons = try TensorComparison.run(
                reference: reference.graph, candidate: candidate.graph, pool: verification.pool,
                progress: verification.progress)
            result.tensors = comparisons.map(\.difference)
            let few = Array(plan.windows[0].tokens.prefix(64))
            result.layers = try LayerComparison.run(
                tokens: few, reference: referenceModel, candidate: model, cache: options.cache)
            result.findings += try TensorDiagnosis(
                reference: reference, candidate: candidate, comparisons: comparisons
            ).findings()
            if !result.findings.contains(where: { $0.severity == .failure }) {
                result.findings += try TypeDiagnosis(examination: self, comparisons: comparisons).findings()
            }
        }
        result.findings += GraftDiagnosis.findings(
            samplerHalves: try graft?.samplerHalves(), decoders: result.decoders)
        if let equality = result.equality, let fork = equality.forks.first {
            result.findings.append(
                Finding(
                    cause: "forked", severity: .failure,
                    message: "\(fork.decoder) decoding with \(fork.masks) masks wrote another text than plain "
                        + "decoding (prompt \(fork.prompt + 1), token \(fork.token + 1); "
                        + "\(equality.forks.count) forks in all): please report this as a defect"))
        }
        return result
    }

    private func compareSpeed(_ prompts: [EncodedPrompt], in result: inout CandidateResult) throws {
        guard !prompts.isEmpty else { return }
        let length = (prompts.map(\.tokens.count).max() ?? 0) + options.generated + 1
        let capacity = min(length, model.configuration.contextLength)
        let plain = DecoderChoice(name: "plain", masks: 0) {
            PlainDecoder(try TokenSequence(model, capacity: capacity, precision: options.cache))
        }
        let others = try graft?.decoders(for: candidate, model, capacity: capacity, options) ?? []
        let comparison = DecoderComparison(
            plain: plain, others: others, limit: min(options.generated, capacity - 1),
            ends: candidate.tokenizer?.special.endOfGeneration ?? [], repeats: options.repeats)
        let outcome = try comparison.run(prompts, progress: verification.progress)
        result.decoders = outcome.decoders
        result.equality = others.isEmpty ? nil : outcome.equality
        result.model.tokensPerSecond = outcome.decoders.first?.tokensPerSecond
        if !options.rows.isEmpty {
            result.forward = try RowCost.measure(model, rows: options.rows, cache: options.cache)
        }
    }

    private func passages(_ tokens: [Int]) -> [Passage] {
        func choices(_ list: [WorstPlace.Choice]) -> [Passage.Choice] {
            list.map { Passage.Choice(text: reference.decode([$0.token]), probability: $0.probability) }
        }
        return sample.worst.filter { $0.position < tokens.count }.map { place in
            Passage(
                position: place.position, kl: Double(place.divergence),
                before: reference.decode(Array(tokens[max(0, place.position - 40)..<place.position])),
                token: reference.decode([tokens[place.position]]), reference: choices(place.reference),
                candidate: choices(place.candidate))
        }
    }
}
