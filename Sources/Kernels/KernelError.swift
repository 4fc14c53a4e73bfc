public import TensorFiles

/// Why work in this room failed.
public enum KernelError: DescribedError, Equatable {
    case invalid(String)
    /// The type's elements are not real numbers.
    case undecodable(ElementType)
    /// We do not write the type, or not with the method asked for.
    case unencodable(ElementType)
    /// Rows that are not whole blocks.
    case partialBlocks(ElementType, rowLength: Int)
    /// The bytes are not that many elements of the type.
    case wrongByteCount(ElementType, elements: Int, bytes: Int)

    public var kind: FailureKind {
        switch self {
        case .invalid, .undecodable, .unencodable, .partialBlocks, .wrongByteCount: .input
        }
    }

    public var description: String {
        switch self {
        case .invalid(let message): message
        case .undecodable(let type): "elements of type \(type.rawValue) cannot be read as real numbers"
        case .unencodable(let type): "type \(type.rawValue) cannot be written"
        case .partialBlocks(let type, let rowLength):
            "rows of \(rowLength) elements are not whole blocks of \(type.block.elements) for type \(type.rawValue)"
        case .wrongByteCount(let type, let elements, let bytes):
            "\(elements) elements of type \(type.rawValue) cannot lie in \(bytes) bytes"
        }
    }
}
