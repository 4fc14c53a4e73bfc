public import TensorFiles

/// Why work in this room failed.
public enum ModelError: DescribedError, Equatable {
    /// No description fits the model; `known` are those we have. (AR-01)
    case unknownFamily(file: String, found: String, known: [String])
    /// A family's description cannot be used. (AR-02)
    case description(file: String, reason: String)
    /// Everything found wrong with a model, at once. (AR-03 and the rules the problems name)
    case problems(file: String, [ModelProblem])
    /// The path holds no model. (AR-04)
    case notAModel(path: String, reason: String)
    /// A tensor is known from an index only; its file is not there. (AR-05)
    case absent(tensor: String, file: String)
    /// A pass cannot be applied to this graph.
    case pass(String, reason: String)
    /// A rule of formats/graft.md is broken.
    case graft(GraftProblem)

    public var kind: FailureKind { .input }

    public var description: String {
        switch self {
        case .unknownFamily(let file, let found, let known):
            "\(file): \(found) is not a family we know; we have \(known.joined(separator: ", ")); "
                + "a description of another can be given with --architecture FILE"
        case .description(let file, let reason): "\(file): not a usable description of a family: \(reason)"
        case .problems(let file, let problems):
            problems.count == 1
                ? "\(file): \(problems[0])"
                : "\(file): \(problems.count) problems\n" + problems.map { "  \($0)" }.joined(separator: "\n")
        case .notAModel(let path, let reason): "\(path): \(reason)"
        case .absent(let tensor, let file): "\(tensor): its file \(file) is not there; download it first"
        case .pass(let name, let reason): "\(name): \(reason)"
        case .graft(let problem): problem.message
        }
    }
}

/// One thing wrong with a model's settings or tensors.
public struct ModelProblem: Hashable, Sendable, CustomStringConvertible {
    /// Identifiers as in formats/architecture.md.
    public enum Rule: String, Hashable, Sendable {
        case settingMissing = "AR-10"
        case settingKind = "AR-11"
        case settingRange = "AR-12"
        case settingUnsupported = "AR-13"
        case constraint = "AR-14"
        case rotaryScaling = "AR-15"
        case layerList = "AR-16"
        case tensorMissing = "AR-20"
        case tensorUnknown = "AR-21"
        case tensorShape = "AR-22"
        case tensorType = "AR-23"
        case tiedOutput = "AR-24"
        case vocabulary = "AR-25"
        case uneven = "AR-26"
        case shardMissing = "AR-27"
        case quantization = "AR-28"
    }

    public var rule: Rule
    /// The setting or the tensor.
    public var subject: String
    public var message: String

    public init(_ rule: Rule, _ subject: String, _ message: String) {
        self.rule = rule
        self.subject = subject
        self.message = message
    }

    public var description: String { "\(subject): \(message) [\(rule.rawValue)]" }
}
