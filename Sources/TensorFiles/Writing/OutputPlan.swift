/// A tensor that is going to be written.
public struct TensorDeclaration: Hashable, Sendable {
    public let name: String
    /// Outermost dimension first.
    public let shape: [Int]
    public let type: ElementType
    public let byteCount: Int

    /// Throws when the shape is not one of whole blocks or too large.
    public init(name: String, shape: [Int], type: ElementType) throws(TensorFileError) {
        guard let tensor = Tensor(name: name, shape: shape, type: type, source: MemorySource([])) else {
            throw .cannotRepresent(
                name: name,
                reason: "shape \(shape) cannot be stored as \(type.rawValue), whose blocks have "
                    + "\(type.block.elements) elements")
        }
        self.name = name
        self.shape = shape
        self.type = type
        byteCount = tensor.byteCount
    }

    public init(_ tensor: Tensor) {
        name = tensor.name
        shape = tensor.shape
        type = tensor.type
        byteCount = tensor.byteCount
    }
}

/// Everything about the files to be written but the tensors' bytes: names, headers, and where each tensor goes.
/// Exact sizes are known before anything is written.
public struct OutputPlan: Sendable {
    public struct File: Sendable {
        /// The bare name.
        public let name: String
        /// The file's bytes before the first tensor, with zeros where digests will stand.
        let header: [UInt8]
        /// In writing order, which need not be that of their places.
        public let tensors: [PlacedTensor]
        /// Exact size of the file.
        public let byteCount: Int
        let digestSlot: DigestSlot?
    }

    public struct PlacedTensor: Sendable {
        public let declaration: TensorDeclaration
        /// Index into the list that the plan was made from.
        public let index: Int
        /// Where its bytes start in the file.
        public let offset: Int
    }

    /// Where a file keeps its digests: one after the other, in the order of its tensors' places.
    struct DigestSlot: Sendable {
        enum Encoding: Sendable { case bytes, hexadecimal }
        let offset: Int
        let encoding: Encoding
    }

    /// In writing order.
    public let files: [File]
    /// Small files that are written after the others, such as a shard index.
    public let sideFiles: [(name: String, bytes: [UInt8])]
    /// What the output is called in messages, and the stem of the names of partial files.
    public let name: String

    init(name: String, files: [File], sideFiles: [(name: String, bytes: [UInt8])] = []) {
        self.name = name
        self.files = files
        self.sideFiles = sideFiles
    }

    /// The same plan with more small files to be written after the others.
    public func adding(sideFiles: [(name: String, bytes: [UInt8])]) -> OutputPlan {
        OutputPlan(name: name, files: files, sideFiles: self.sideFiles + sideFiles)
    }

    /// Bytes of all files.
    public var byteCount: Int {
        files.reduce(0) { $0 + $1.byteCount } + sideFiles.reduce(0) { $0 + $1.bytes.count }
    }

    /// Indices into the list that the plan was made from, in the order in which tensors must be written.
    public var writingOrder: [Int] { files.flatMap { $0.tensors.map(\.index) } }

    /// Groups tensors, in order, so that no group's bytes exceed `limit` unless it has a single tensor.
    static func groups(_ tensors: [TensorDeclaration], limit: Int?) -> [[Int]] {
        guard let limit else { return [Array(tensors.indices)] }
        var groups: [[Int]] = [[]]
        var bytes = 0
        for (index, tensor) in tensors.enumerated() {
            let (sum, overflow) = bytes.addingReportingOverflow(tensor.byteCount)
            if !groups[groups.count - 1].isEmpty, overflow || sum > limit {
                groups.append([])
                bytes = 0
            }
            groups[groups.count - 1].append(index)
            bytes = bytes.addingReportingOverflow(tensor.byteCount).partialValue
        }
        return groups
    }

    /// The names of the files of a split; a single file keeps its name.
    static func names(_ name: String, count: Int) -> [String] {
        guard count > 1 else { return [name] }
        let dot = name.lastIndex(of: ".") ?? name.endIndex
        let stem = SplitName(prefix: String(name[..<dot]), number: 1, count: count, suffix: String(name[dot...]))
        return (1...count).map { stem.name($0) }
    }

    static func refuseTwins(_ tensors: [TensorDeclaration]) throws(TensorFileError) {
        var names: Set<String> = []
        for tensor in tensors where !names.insert(tensor.name).inserted {
            throw .cannotRepresent(name: tensor.name, reason: "two tensors have this name")
        }
    }
}
