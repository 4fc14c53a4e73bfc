/// The tensors of a model and what its files say about them, opened from any of the forms in which models come:
/// a Hub directory, one safetensors file, a GGUF file or the first of a split one.
public struct Checkpoint: Sendable {
    public enum Format: String, Sendable { case safetensors, gguf }

    /// One of the files that hold tensors.
    public struct File: Sendable {
        public let file: MappedFile
        /// Indices into the checkpoint's `tensors`.
        public let tensors: Range<Int>
        /// Where tensor data starts.
        public let dataStart: Int
        /// `__metadata__` of a safetensors file.
        public let metadata: [(key: String, value: String)]
        /// What the file says its tensors' bytes are, where it was written by us.
        public let digests: RecordedDigests
    }

    /// As given by the user.
    public let path: String
    /// Where `config.json`, the tokenizer's files and the like are.
    public let folder: String
    public let format: Format
    public let files: [File]
    /// In the order of the files.
    public let tensors: [Tensor]
    /// The metadata of a GGUF model, of its first file when it is split.
    public let gguf: GGUFMetadata?
    /// The shard index, where there is one.
    public let index: ShardIndex?
    private let positions: [String: Int]

    init(
        path: String, folder: String, format: Format, files: [File], tensors: [Tensor], gguf: GGUFMetadata? = nil,
        index: ShardIndex? = nil
    ) {
        self.path = path
        self.folder = folder
        self.format = format
        self.files = files
        self.tensors = tensors
        self.gguf = gguf
        self.index = index
        var positions: [String: Int] = [:]
        positions.reserveCapacity(tensors.count)
        for (position, tensor) in tensors.enumerated() where positions[tensor.name] == nil {
            positions[tensor.name] = position
        }
        self.positions = positions
    }

    /// Opens a model and checks its structure; throws the first rule that is broken. Reads headers only.
    public static func open(_ path: String) throws(TensorFileError) -> Checkpoint {
        var reader = CheckpointReader()
        let checkpoint = try reader.read(path)
        if let failure = reader.problems.failure { throw failure }
        guard let checkpoint else { throw .notAModel(path: path, reason: "no model can be read from it") }
        return checkpoint
    }

    /// The tensor with a name, as the files spell it.
    public subscript(name: String) -> Tensor? { positions[name].map { tensors[$0] } }

    /// The bytes of a file beside the tensors, such as `config.json`; `nil` when there is none.
    public func sideFile(_ name: String) throws(TensorFileError) -> MappedFile? {
        precondition(!name.contains("/"), "a side file is in the model's folder")
        let path = FileSystem.join(folder, name)
        guard FileSystem.kind(of: path) != nil else { return nil }
        return try MappedFile(path: path)
    }

    /// A file beside the tensors, as JSON; `nil` when there is none.
    public func sideDocument(_ name: String) throws(TensorFileError) -> JSONDocument? {
        guard let file = try sideFile(name) else { return nil }
        return try JSONDocument(file)
    }

    /// The file that holds a tensor.
    public func file(of position: Int) -> File? { files.first { $0.tensors.contains(position) } }

    /// Bytes of all tensors.
    public var byteCount: Int { tensors.reduce(0) { $0 + $1.byteCount } }
}
