import Kernels
import ModelGraph
import Runtime
import TensorFiles
import Tokenizers

/// Everything about one candidate: the text, the prompts, and what its files say.
struct Examination {
    let verification: Verification
    let candidate: Subject
    let graft: CandidateGraft?
    let record: ReferenceRecord

    private var options: Verification.Options { verification.options }
    private var reference: Subject { verification.reference }

    /// What only the running model tells.
    private struct Measured {
        var sample: DivergenceSample
        var layers: [LayerDifference]
    }

    /// - Returns: the result, and the reference's perplexity on the same text.
    func run(prompts: [EncodedPrompt], text: String) throws -> (CandidateResult, referencePerplexity: Estimate) {
        var speed = SpeedResult()
        let (measured, peak) = try PeakMemory.around {
            let model = try candidate.load(
                precision: options.precision, pool: verification.pool, progress: verification.progress)
            let sample = try DivergenceMeasurement(record: record, model: model, cache: options.cache)
                .run(progress: verification.progress)
            let few = Array(try record.window(0).tokens.prefix(record.hidden.tokens))
            let hidden = try HiddenStates.record(few, model, cache: options.cache)
            speed = try SpeedExamination(verification: verification, candidate: candidate, graft: graft)
                .run(model, prompts: prompts)
            return Measured(sample: sample, layers: HiddenStates.differences(record.hidden, hidden))
        }
        let sample = measured.sample
        var summary = candidate.summary(graftPath: graft?.path)
        summary.perplexity = sample.candidatePerplexity.value
        summary.perplexityError = sample.candidatePerplexity.standardError
        summary.peakMemoryBytes = peak
        summary.tokensPerSecond = speed.decoders.first?.tokensPerSecond
        var result = CandidateResult(
            model: summary, kl: sample.kl, top1Agreement: sample.top1Agreement, top5Overlap: sample.top5Overlap,
            percentiles: sample.percentiles, positions: sample.buckets(16))
        result.passages = try passages(sample)
        result.decoders = speed.decoders
        result.equality = speed.equality
        result.forward = speed.forward
        if let finding = TokenizerDiagnosis.finding(reference: reference, candidate: candidate, sample: text) {
            result.findings.append(finding)
        }
        if options.examinesTensors { try examineTensors(measured.layers, in: &result) }
        result.findings += speed.findings
        return (result, sample.referencePerplexity)
    }

    private func examineTensors(_ layers: [LayerDifference], in result: inout CandidateResult) throws {
        let comparisons = try TensorComparison.run(
            reference: reference.graph, candidate: candidate.graph, pool: verification.pool,
            progress: verification.progress)
        result.tensors = comparisons.map(\.difference)
        result.layers = layers
        result.findings += try TensorDiagnosis(
            reference: reference, candidate: candidate, comparisons: comparisons
        ).findings()
        if !result.findings.contains(where: { $0.severity == .failure }) {
            result.findings += try TypeDiagnosis(
                verification: verification, candidate: candidate, record: record, comparisons: comparisons,
                divergence: result.kl.mean
            ).findings()
        }
    }

    private func passages(_ sample: DivergenceSample) throws -> [Passage] {
        func choices(_ list: [WorstPlace.Choice]) -> [Passage.Choice] {
            list.map { Passage.Choice(text: reference.decode([$0.token]), probability: $0.probability) }
        }
        return try sample.worst.map { place in
            let window = try record.window(place.position / record.context)
            let inside = place.position - window.start
            return Passage(
                position: place.position, kl: Double(place.divergence),
                before: reference.decode(Array(window.tokens[max(0, inside - 40)..<inside])),
                token: reference.decode([window.tokens[inside]]), reference: choices(place.reference),
                candidate: choices(place.candidate))
        }
    }
}
