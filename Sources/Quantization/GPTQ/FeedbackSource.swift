public import Kernels

/// Where what is known of a matrix's inputs comes from. It is made when the matrix's rows are written, and let go after.
public struct FeedbackSource: Sendable {
    private enum Origin {
        case factor(ImportanceMatrix)
        case moments(HessianStore)
    }

    private let origin: Origin
    private let name: String
    private let columns: Int

    /// `nil` where codes are chosen by columns alone: nothing more is known, or the reference rule is asked for.
    ///
    /// - Parameter name: of the matrix in GGUF.
    public init?(
        of name: String, columns: Int, method: BlockMethod, importance: ImportanceMatrix?, hessians: HessianStore?
    ) {
        if method == .gptq, let hessians, hessians.has(name) {
            origin = .moments(hessians)
        } else if method != .nearest, let importance, importance.hasFactor(of: name, columns: columns) {
            origin = .factor(importance)
        } else {
            return nil
        }
        self.name = name
        self.columns = columns
    }

    /// Whether GPTQ has the whole second moments that it needs.
    public var isWhole: Bool { if case .moments = origin { true } else { false } }

    /// Bytes that the feedback and its making take.
    public var byteCount: Int {
        isWhole ? HessianFactor.workBytes(columns: columns) : ErrorFeedback.byteCount(columns: columns)
    }

    /// Bytes beside its weights that a row takes while it is coded; few directions are followed for eight rows at a time.
    public var rowBytes: Int { isWhole ? 4 * columns + ErrorFeedback.workBytes(columns: columns) : 0 }

    public func make() throws -> ErrorFeedback? {
        switch origin {
        case .factor(let importance): try importance.feedback(of: name, columns: columns)
        case .moments(let hessians):
            try HessianFactor(hessians.moments(of: name, columns: columns), columns: columns, tensor: name).feedback
        }
    }
}
