/// `model.safetensors.index.json`: which shard holds which tensor.
public struct ShardIndex: Sendable {
    public struct Entry: Sendable {
        public let tensor: String
        public let file: String
        /// Where the entry is in the index.
        public let offset: Int
    }

    public let path: String
    public let entries: [Entry]
    /// The shards, each once, sorted.
    public let files: [String]
    /// `metadata.total_size`: bytes of all tensors.
    public let totalSize: Int?

    /// Rules IX-01 and IX-02.
    init?(parsing file: MappedFile, _ problems: inout ProblemList) {
        let document: JSONDocument
        do {
            document = try JSONDocument(file)
        } catch {
            problems.add(Problem(.indexIsJSON, file: file.path, "the index cannot be read: \(error.description)"))
            return nil
        }
        guard let map = document.root["weight_map"], map.kind == .object else {
            problems.add(Problem(.indexIsJSON, file: file.path, "the index lacks an object \"weight_map\""))
            return nil
        }
        var entries: [Entry] = []
        var files: Set<String> = []
        var refused: Set<String> = []
        for member in map.members {
            guard let name = member.value.string else {
                problems.add(
                    Problem(
                        .indexIsJSON, file: file.path, tensor: member.key, offset: member.value.byteOffset,
                        "the shard's name must be a string"))
                continue
            }
            guard Self.isBare(name) else {
                if refused.insert(name).inserted {
                    problems.add(
                        Problem(
                            .indexFileName, file: file.path, tensor: member.key, offset: member.value.byteOffset,
                            "the shard \(name.quotedForMessages) must be the bare name of a file in the index's folder"
                        ))
                }
                continue
            }
            files.insert(name)
            entries.append(Entry(tensor: member.key, file: name, offset: member.keyOffset))
        }
        path = file.path
        self.entries = entries
        self.files = files.sorted()
        totalSize = document.root["metadata"]?["total_size"].flatMap { node in
            node.int ?? node.double.flatMap { Int(exactly: $0) }
        }
    }

    private static func isBare(_ name: String) -> Bool {
        !name.isEmpty && name != "." && name != ".." && !name.contains("/") && !name.contains("\\")
            && !name.contains("\0")
    }
}
