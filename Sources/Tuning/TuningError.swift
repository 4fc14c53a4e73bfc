import ModelGraph
public import TensorFiles

/// Why a training run could not start or go on.
public enum TuningError: DescribedError, Equatable {
    case missingTensor(part: String, block: Int?)
    /// The model computes with something that the training pass cannot differentiate.
    case noGradient(family: String, part: String, block: Int?)
    case wrongShape(tensor: String, expected: [Int], found: [Int])
    /// No sequence has a token that can carry a mask with something to predict.
    case textTooShort(longest: Int, sequences: Int)
    /// All text together does not fill one window.
    case textShorterThanWindow(tokens: Int, window: Int)
    case memory(budget: Int, needed: Int)
    case tokenOutside(sequence: Int, token: Int, vocabulary: Int)
    case invalidOption(name: String, value: String, expected: String)
    case diverged(step: Int, loss: Double, lastGood: Int)
    case cannotWrite(file: String, reason: String)
    /// `last`: the step of the checkpoint before, which is whole.
    case checkpointNotWritten(reason: String, last: Int?)
    case notACheckpoint(file: String, reason: String)
    case otherRun(file: String, differences: [String])
    case dataFile(file: String, line: Int?, reason: String)

    public var kind: FailureKind {
        switch self {
        case .memory, .cannotWrite, .checkpointNotWritten: .resources
        case .invalidOption: .usage
        case .diverged: .negative
        default: .input
        }
    }

    public var description: String {
        switch self {
        case .missingTensor(let part, let block):
            "the model has no \(part)\(block.map { " in block \($0)" } ?? ""); convert it again from its checkpoint"
        case .noGradient(let family, let part, let block):
            "this \(family) model has \(part)\(block.map { " in block \($0)" } ?? ""), for which training has no "
                + "gradient; tune a model whose blocks are made of "
                + FrozenModel.linears.map(\.rawValue).joined(separator: ", ")
        case .wrongShape(let tensor, let expected, let found):
            "\(tensor): expected shape \(expected), found \(found)"
        case .textTooShort(let longest, let sequences):
            "nothing to learn from: the longest of \(sequences) sequences has \(longest) tokens, and a mask needs two "
                + "tokens after its anchor; give more text"
        case .textShorterThanWindow(let tokens, let window):
            "the text has \(tokens) tokens in all, fewer than one window of \(window); give more text or lower --window"
        case .memory(let budget, let needed):
            "a budget of \(budget) bytes is too small: one token's masks need \(needed); raise --max-memory, or lower "
                + "--window, --rank or --threads"
        case .tokenOutside(let sequence, let token, let vocabulary):
            "sequence \(sequence): token \(token) is outside the vocabulary of \(vocabulary); was the text made with "
                + "another model?"
        case .invalidOption(let name, let value, let expected):
            "\(name) must be \(expected), not \(value)"
        case .diverged(let step, let loss, let lastGood):
            "training diverged at step \(step) (loss \(loss)); the result is that of step \(lastGood): lower --rate"
        case .cannotWrite(let file, let reason):
            "\(file): cannot be written: \(reason)"
        case .checkpointNotWritten(let reason, let last):
            "training stopped, because its checkpoint could not be written: \(reason); "
                + (last.map { "the one of step \($0) is whole: make room and go on with --resume" }
                    ?? "there is none yet: make room and start again")
        case .notACheckpoint(let file, let reason):
            "\(file): not a checkpoint of a training run: \(reason)"
        case .otherRun(let file, let differences):
            "\(file): the checkpoint is of another run: \(differences.joined(separator: "; "))"
        case .dataFile(let file, let line, let reason):
            "\(file)\(line.map { ":\($0)" } ?? ""): \(reason)"
        }
    }
}
