import TensorFiles

/// A Hub directory whose weights are not there: its configuration, and the names its index lists.
struct HubOutline {
    let folder: String
    let config: Setting
    /// Tensor names and the shards that should hold them; `nil` without an index.
    let shards: [String: String]?
    let totalSize: Int?

    /// `nil` when the path is neither a folder with a `config.json` nor such a file, under whatever name.
    init?(path: String) throws {
        let isDocument = path.hasSuffix(".json")
        guard let document = try? JSONDocument(path: isDocument ? path : path + "/config.json") else { return nil }
        let folder =
            isDocument ? path.split(separator: "/", omittingEmptySubsequences: false).dropLast() : [path[...]]
        self.folder = folder.isEmpty ? "." : folder.joined(separator: "/")
        config = Setting(document.root)
        guard !isDocument, let index = try? JSONDocument(path: path + "/model.safetensors.index.json") else {
            shards = nil
            totalSize = nil
            return
        }
        guard let map = index.root["weight_map"], map.kind == .object else {
            throw ModelError.notAModel(
                path: path + "/model.safetensors.index.json", reason: "the index lacks an object \"weight_map\"")
        }
        var shards: [String: String] = [:]
        for member in map.members { shards[member.key] = member.value.string ?? "" }
        self.shards = shards
        totalSize = index.root["metadata"]?["total_size"].flatMap { $0.int ?? $0.double.flatMap { Int(exactly: $0) } }
    }
}

/// Stands in for bytes that are on another machine.
struct AbsentSource: TensorSource {
    let tensor: String
    let file: String

    func withBytes<Result>(
        rows: Range<Int>, rowByteCount: Int, _ body: (RawSpan) throws -> Result
    ) throws -> Result {
        throw ModelError.absent(tensor: tensor, file: file)
    }
}
