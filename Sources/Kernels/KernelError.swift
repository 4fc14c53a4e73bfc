public import TensorFiles

/// Why work in this room failed.
public enum KernelError: DescribedError, Equatable {
    /// The type's elements are not real numbers.
    case undecodable(ElementType)
    /// We do not write the type, or not with the method asked for.
    case unencodable(ElementType)
    /// Rows that are not whole blocks.
    case partialBlocks(ElementType, rowLength: Int)
    /// Rows that are not whole groups.
    case partialGroups(rowLength: Int, groupSize: Int)
    /// The bytes are not that many elements of the type.
    case wrongByteCount(ElementType, elements: Int, bytes: Int)
    /// No product takes weights of the type.
    case noProduct(tensor: String, ElementType)
    /// A weight matrix with no rows, no columns or more than can be counted.
    case notMatrix(tensor: String, rows: Int, columns: Int)
    /// `FORETOKEN_ISA` names no instruction set.
    case unknownInstructionSet(String)
    case unsupportedInstructionSet(InstructionSet)
    case threadsRefused(Int)
    case outOfMemory(bytes: Int)

    public var kind: FailureKind {
        switch self {
        case .undecodable, .unencodable, .partialBlocks, .partialGroups, .wrongByteCount, .noProduct, .notMatrix:
            .input
        case .unknownInstructionSet, .unsupportedInstructionSet: .usage
        case .threadsRefused, .outOfMemory: .resources
        }
    }

    public var description: String {
        switch self {
        case .undecodable(let type): "elements of type \(type.rawValue) cannot be read as real numbers"
        case .unencodable(let type): "type \(type.rawValue) cannot be written"
        case .partialBlocks(let type, let rowLength):
            "rows of \(rowLength) elements are not whole blocks of \(type.block.elements) for type \(type.rawValue)"
        case .partialGroups(let rowLength, let groupSize):
            "rows of \(rowLength) elements are not whole groups of \(groupSize)"
        case .wrongByteCount(let type, let elements, let bytes):
            "\(elements) elements of type \(type.rawValue) cannot lie in \(bytes) bytes"
        case .noProduct(let tensor, let type):
            "tensor '\(tensor)' has type \(type.rawValue), which no kernel multiplies with; convert or quantize the model"
        case .notMatrix(let tensor, let rows, let columns):
            "tensor '\(tensor)' with \(rows) rows of \(columns) elements cannot serve as a weight matrix"
        case .unknownInstructionSet(let name):
            "FORETOKEN_ISA is '\(name)', but must be one of "
                + InstructionSet.allCases.map(\.rawValue).joined(separator: ", ")
        case .unsupportedInstructionSet(let set):
            "this processor lacks the instruction set \(set.rawValue) (chosen with FORETOKEN_ISA?)"
        case .threadsRefused(let count): "the system refused \(count) threads; choose fewer with --threads"
        case .outOfMemory(let bytes): "the system refused \(bytes) bytes of memory"
        }
    }
}
