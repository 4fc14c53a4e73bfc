import Kernels
import ModelGraph
import Runtime
import TensorFiles
import Tokenizers

/// What prompts said about a candidate's decoders.
struct SpeedResult {
    var decoders: [DecoderResult] = []
    var equality: Equality?
    var forward: [ForwardTime] = []
    var findings: [Finding] = []
}

/// Runs a candidate's decoders over prompts and times its passes.
struct SpeedExamination {
    let verification: Verification
    let candidate: Subject
    let graft: CandidateGraft?

    func run(_ model: Transformer, prompts: [EncodedPrompt]) throws -> SpeedResult {
        guard !prompts.isEmpty else { return SpeedResult() }
        let options = verification.options
        var result = SpeedResult()
        let length = (prompts.map(\.tokens.count).max() ?? 0) + options.generated + 1
        let capacity = min(length, model.configuration.contextLength)
        let plain = DecoderChoice(name: "plain", masks: 0) {
            PlainDecoder(try TokenSequence(model, capacity: capacity, precision: options.cache))
        }
        var others: [DecoderChoice] = []
        do {
            others = try graft?.decoders(for: candidate, model, capacity: capacity, options) ?? []
        } catch ModelError.graft(.wrongBase(let differences)) {
            result.findings.append(GraftDiagnosis.foreign(differences))
        }
        let comparison = DecoderComparison(
            plain: plain, others: others, limit: min(options.generated, capacity - 1),
            ends: candidate.tokenizer?.special.endOfGeneration ?? [], repeats: options.repeats)
        let outcome = try comparison.run(prompts, progress: verification.progress)
        result.decoders = outcome.decoders
        result.equality = others.isEmpty ? nil : outcome.equality
        if !options.rows.isEmpty {
            result.forward = try RowCost.measure(model, rows: options.rows, cache: options.cache)
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
}
