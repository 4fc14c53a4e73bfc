public import TensorFiles

/// Why work in this room failed.
public enum FidelityError: DescribedError, Equatable {
    case invalid(String)

    public var kind: FailureKind {
        switch self {
        case .invalid: .input
        }
    }

    public var description: String {
        switch self {
        case .invalid(let message): message
        }
    }
}
