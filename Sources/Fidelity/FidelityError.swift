public import TensorFiles

/// Why two models cannot be compared at all. A comparison that comes out badly is no error but a verdict.
public enum FidelityError: DescribedError, Equatable {
    case vocabularies(reference: Int, candidate: Int)
    case noTokenizer(path: String, reason: String)
    case textTooShort(tokens: Int, needed: Int)
    case context(given: Int, limit: Int, model: String)
    case promptTooLong(prompt: Int, tokens: Int, limit: Int, count: Int)
    case noPrompts
    case limit(name: String, needs: String)
    /// A file that is no record of a reference: formats/reference-record.md.
    case record(path: String, rule: String, reason: String)
    /// A record of something else than what is to be compared.
    case recordDiffers(path: String, what: String, recorded: String, found: String)
    case cannotWrite(path: String, reason: String)

    public var kind: FailureKind {
        switch self {
        case .vocabularies, .noTokenizer, .textTooShort, .promptTooLong, .record, .recordDiffers: .input
        case .context, .noPrompts, .limit: .usage
        case .cannotWrite: .resources
        }
    }

    public var description: String {
        switch self {
        case .vocabularies(let reference, let candidate):
            "the reference predicts \(reference) tokens and the candidate \(candidate): "
                + "models of different vocabularies cannot be compared token by token"
        case .noTokenizer(let path, let reason):
            "\(path): no tokenizer could be read (\(reason)); the text to compare on needs one"
        case .textTooShort(let tokens, let needed):
            "the text has \(tokens) tokens; at least \(needed) are needed to score any: give a longer --text"
        case .context(let given, let limit, let model):
            "--context \(given) is outside 4 … \(limit), what \(model) can hold"
        case .promptTooLong(let prompt, let tokens, let limit, let count):
            "prompt \(prompt + 1) has \(tokens) tokens; beside the tokens to generate only \(limit) fit the context "
                + "(\(count) prompts in all are too long): shorten them, lower -n, or give --skip-long-prompts"
        case .noPrompts: "--prompts names a file without prompts"
        case .limit(let name, let needs): "\(name) needs \(needs)"
        case .record(let path, let rule, let reason): "\(path): not a record of a reference: \(reason) [\(rule)]"
        case .recordDiffers(let path, let what, let recorded, let found):
            "\(path): recorded with another \(what): \(recorded) there, \(found) here; "
                + "record anew with --save-reference [RR-07]"
        case .cannotWrite(let path, let reason): "\(path): cannot be written: \(reason)"
        }
    }
}
