public import TensorFiles

/// Why work in this room failed.
public enum ModelError: DescribedError, Equatable {
    case invalid(String)
    /// A rule of formats/graft.md is broken.
    case graft(GraftProblem)

    public var kind: FailureKind {
        switch self {
        case .invalid, .graft: .input
        }
    }

    public var description: String {
        switch self {
        case .invalid(let message): message
        case .graft(let problem): problem.message
        }
    }
}
