public import TensorFiles

/// Why a model could not be run.
public enum RuntimeError: DescribedError, Equatable {
    /// The graph lacks a tensor that its configuration asks for.
    case missingTensor(String)
    /// A tensor's shape is not what the configuration asks for.
    case shape(tensor: String, expected: [Int], found: [Int])
    /// The configuration asks for something that no block of the runtime does.
    case unsupported(String)
    /// The rows of a pass contradict each other.
    case rows(String)
    /// A token outside the vocabulary.
    case token(Int, vocabulary: Int)
    /// A mask row without a graft, or beyond its masks.
    case mask(Int, available: Int)
    /// More positions than the sequence was made for.
    case contextFull(needed: Int, capacity: Int)
    /// More positions than the model was trained for.
    case contextTooLong(needed: Int, limit: Int)
    /// What a sequence takes is more than the machine has.
    case memory(needed: Int, available: Int, what: String)
    /// A hidden state or logit is infinite or not a number; `block` is the first that gave one.
    case notFinite(block: Int?, part: String)
    case promptFile(path: String, line: Int?, String)
    case options(String)

    public var kind: FailureKind {
        switch self {
        case .memory: .resources
        case .options, .contextTooLong, .contextFull: .usage
        default: .input
        }
    }

    public var description: String {
        switch self {
        case .missingTensor(let name):
            "the model has no tensor \(name), which its configuration needs"
        case .shape(let tensor, let expected, let found):
            "tensor \(tensor) has shape \(found), expected \(expected)"
        case .unsupported(let what):
            what
        case .rows(let problem):
            problem
        case .token(let token, let vocabulary):
            "token \(token) is outside the vocabulary, which has ids from 0 to \(vocabulary - 1)"
        case .mask(let index, let available):
            available == 0
                ? "a mask row needs a graft, and none is attached"
                : "mask \(index + 1) was asked for, the graft has \(available)"
        case .contextFull(let needed, let capacity):
            "the sequence holds \(capacity) positions and \(needed) are needed; ask for a larger context"
        case .contextTooLong(let needed, let limit):
            "a context of \(needed) positions was asked for, the model was made for \(limit)"
        case .memory(let needed, let available, let what):
            "\(what) needs \(Self.mebibytes(needed)) and \(Self.mebibytes(available)) are free; "
                + "use a shorter context or a smaller --cache type"
        case .notFinite(let block, let part):
            block.map { "block \($0), \(part): the model's numbers are infinite or NaN from here on" }
                ?? "\(part): the model's numbers are infinite or NaN from here on"
        case .promptFile(let path, let line, let problem):
            line.map { "\(path), line \($0): \(problem)" } ?? "\(path): \(problem)"
        case .options(let problem):
            problem
        }
    }

    private static func mebibytes(_ bytes: Int) -> String { "\((bytes + 1_048_575) / 1_048_576) MiB" }
}
