public import TensorFiles

/// Why two models cannot be compared at all. A comparison that comes out badly is no error but a verdict.
public enum FidelityError: DescribedError, Equatable {
    case vocabularies(reference: Int, candidate: Int)
    case noTokenizer(path: String, reason: String)
    case textTooShort(tokens: Int, needed: Int)
    case context(given: Int, limit: Int, model: String)
    case promptTooLong(prompt: Int, tokens: Int, limit: Int)
    case noPrompts
    case limit(name: String, needs: String)
    case cannotWrite(path: String, reason: String)

    public var kind: FailureKind {
        switch self {
        case .vocabularies, .noTokenizer, .textTooShort, .promptTooLong: .input
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
        case .promptTooLong(let prompt, let tokens, let limit):
            "prompt \(prompt + 1) has \(tokens) tokens; with the tokens to generate only \(limit) fit the context"
        case .noPrompts: "--prompts names a file without prompts"
        case .limit(let name, let needs): "\(name) needs \(needs)"
        case .cannotWrite(let path, let reason): "\(path): cannot be written: \(reason)"
        }
    }
}
