public import TensorFiles

/// Why work in this room failed. Rule identifiers are those of `formats/tokenizers.md`.
public enum TokenizerError: DescribedError, Equatable {
    /// TK-01: none of the files that hold a tokenizer is where it was looked for.
    case notFound(path: String, expected: [String])
    /// TK-02: a file exists and cannot be read.
    case unreadable(path: String, reason: String)
    /// TK-03: a key is absent, or holds something else than its type.
    case malformed(file: String, key: String, expected: String, found: String)
    /// TK-04: a stage or model kind that this program does not know; it is never skipped silently.
    case unsupported(file: String, key: String, found: String, known: [String])
    /// TK-05: a merge in the old spelling, one string with one space, that has no space or more than one.
    case ambiguousMerge(file: String, index: Int, text: String)
    /// TK-06: a merge names a token that the vocabulary does not have.
    case mergeOutsideVocabulary(file: String, index: Int, left: String, right: String, missing: String)
    /// TK-07: a token id beyond what a vocabulary of this size can have.
    case idOutOfRange(file: String, token: String, id: Int, limit: Int)
    /// TK-08: two tokens claim one id.
    case duplicateId(file: String, id: Int, first: String, second: String)
    /// TK-09: a regular expression that PCRE2 refuses.
    case badPattern(file: String, pattern: String, offset: Int, reason: String)
    /// TK-10: matching gave up: the expression backtracks without end on this text.
    case patternTooComplex(pattern: String, reason: String)
    /// TK-11: protocol buffer data that ends early or contradicts itself.
    case badProtocolBuffer(file: String, offset: Int, reason: String)
    /// TK-12: decoding was asked for an id that is in no vocabulary.
    case unknownId(id: Int, vocabularySize: Int)
    /// TK-13: this tokenizer cannot be said in that format.
    case notExportable(format: String, reason: String)
    /// CT-01: a chat template that is no Jinja.
    case templateSyntax(line: Int, reason: String)
    /// CT-02: a part of Jinja that is not understood here.
    case templateUnsupported(line: Int, what: String)
    /// CT-03: a template asked for what its values do not have.
    case templateFailed(line: Int, reason: String)
    /// CT-04: the template refused the conversation (`raise_exception`).
    case templateRaised(String)
    case noChatTemplate

    public var kind: FailureKind { .input }

    public var description: String {
        switch self {
        case .notFound(let path, let expected):
            "\(path): no tokenizer here; expected \(expected.joined(separator: " or "))"
        case .unreadable(let path, let reason):
            "\(path): cannot be read: \(reason)"
        case .malformed(let file, let key, let expected, let found):
            "\(file): \(key): expected \(expected), found \(found)"
        case .unsupported(let file, let key, let found, let known):
            "\(file): \(key): \"\(found)\" is not supported; known: \(known.joined(separator: ", "))"
        case .ambiguousMerge(let file, let index, let text):
            "\(file): model.merges[\(index)]: \"\(text)\" does not say where its two tokens part: a merge written as"
                + " one string has exactly one space; save the tokenizer again with merges as pairs"
                + " ([\"left\", \"right\"]), as newer versions of its library do"
        case .mergeOutsideVocabulary(let file, let index, let left, let right, let missing):
            "\(file): model.merges[\(index)]: (\"\(left)\", \"\(right)\"): \"\(missing)\" is not in the vocabulary"
        case .idOutOfRange(let file, let token, let id, let limit):
            "\(file): token \"\(token)\": id \(id) is outside 0 ..< \(limit)"
        case .duplicateId(let file, let id, let first, let second):
            "\(file): tokens \"\(first)\" and \"\(second)\" both have id \(id)"
        case .badPattern(let file, let pattern, let offset, let reason):
            "\(file): pre-tokenizer pattern \(pattern): at byte \(offset): \(reason)"
        case .patternTooComplex(let pattern, let reason):
            "pre-tokenizer pattern \(pattern): \(reason); the text cannot be split with it"
        case .badProtocolBuffer(let file, let offset, let reason):
            "\(file): byte \(offset): \(reason); is this a SentencePiece model?"
        case .unknownId(let id, let size):
            "token id \(id) is outside the vocabulary of \(size)"
        case .notExportable(let format, let reason):
            "the tokenizer cannot be written as \(format): \(reason)"
        case .templateSyntax(let line, let reason): "chat template, line \(line): \(reason)"
        case .templateUnsupported(let line, let what): "chat template, line \(line): \(what) is not supported"
        case .templateFailed(let line, let reason): "chat template, line \(line): \(reason)"
        case .templateRaised(let message): "the chat template refuses the conversation: \(message)"
        case .noChatTemplate: "the model has no chat template"
        }
    }
}
