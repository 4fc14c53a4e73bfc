/// Finds and opens the files of a model, gathering every broken rule on the way.
package struct CheckpointReader {
    package internal(set) var problems = ProblemList()

    package init() {}

    /// Throws when there is nothing to read; broken rules are left in `problems`.
    package mutating func read(_ path: String) throws(TensorFileError) -> Checkpoint? {
        switch FileSystem.kind(of: path) {
        case nil: throw .cannotRead(file: path, reason: "there is no such file or directory")
        case .folder: return try readFolder(path, given: path)
        case .other: throw .cannotRead(file: path, reason: "it is neither a file nor a directory")
        case .file: break
        }
        if path.hasSuffix(".safetensors.index.json") {
            return try readIndexed(
                folder: FileSystem.folder(of: path), index: FileSystem.name(of: path), given: path)
        }
        let file = try Self.map(path)
        if Self.startsLikeGGUF(file) { return try readGGUF(file, given: path) }
        if file.path.hasSuffix(".gguf") {
            _ = GGUFFile.read(file, &problems)
            return nil
        }
        guard file.path.hasSuffix(".safetensors") || Self.startsLikeSafetensors(file) else {
            throw .notAModel(
                path: path, reason: "expected a Hub directory, a .safetensors or a .gguf file; this is none of them")
        }
        return readSafetensors([file], folder: FileSystem.folder(of: path), given: path, index: nil)
    }

    /// Maps a file, or unpacks it where it is an archive.
    static func map(_ path: String) throws(TensorFileError) -> MappedFile {
        let file = try MappedFile(path: path)
        return path.hasSuffix(ZstdArchive.suffix) ? try ZstdArchive.unpack(file) : file
    }

    /// The file that should be at `path`: itself, or an archive of it; `nil` when neither is there.
    static func locate(_ path: String) -> String? {
        [path, path + ZstdArchive.suffix].first { FileSystem.kind(of: $0) == .file }
    }

    static func mapLocated(_ path: String) throws(TensorFileError) -> MappedFile { try map(locate(path) ?? path) }

    private static func startsLikeGGUF(_ file: MappedFile) -> Bool {
        file.byteCount >= 4 && file.withBytes { $0.loadLittleEndian(0, as: UInt32.self) } == 0x4655_4747
    }

    private static func startsLikeSafetensors(_ file: MappedFile) -> Bool {
        file.byteCount >= 10
            && file.withBytes { bytes in
                bytes.loadLittleEndian(0, as: UInt64.self) <= UInt64(SafetensorsFile.headerLimit)
                    && bytes.loadLittleEndian(8, as: UInt8.self) == UInt8(ascii: "{")
            }
    }

    /// A directory: by its index, or its one safetensors file, or its shards, or its GGUF file.
    private mutating func readFolder(_ folder: String, given path: String) throws(TensorFileError) -> Checkpoint? {
        let names = try FileSystem.names(in: folder)
        let indices = names.filter { $0.hasSuffix(".safetensors.index.json") }
        let standard = "model.safetensors.index.json"
        if indices.contains(standard) || indices.count == 1 {
            return try readIndexed(
                folder: folder, index: indices.contains(standard) ? standard : indices[0], given: path)
        }
        guard indices.isEmpty else {
            throw .notAModel(path: path, reason: "has several indices (\(indices.joined(separator: ", "))); name one")
        }
        // An archive counts under the name of what it holds.
        let plain = Set(
            names.map { $0.hasSuffix(ZstdArchive.suffix) ? String($0.dropLast(ZstdArchive.suffix.count)) : $0 })
        let tensorFiles = plain.filter { $0.hasSuffix(".safetensors") }.sorted()
        if tensorFiles.contains("model.safetensors") || tensorFiles.count == 1 {
            let name = tensorFiles.contains("model.safetensors") ? "model.safetensors" : tensorFiles[0]
            let file = try Self.mapLocated(FileSystem.join(folder, name))
            return readSafetensors([file], folder: folder, given: path, index: nil)
        }
        if !tensorFiles.isEmpty { return try readUnindexedShards(tensorFiles, folder: folder, given: path) }
        let ggufFiles = plain.filter { $0.hasSuffix(".gguf") }.sorted()
        let firsts = ggufFiles.filter { SplitName($0).map { $0.number == 1 } ?? true }
        guard firsts.count == 1 else {
            throw .notAModel(
                path: path,
                reason: firsts.isEmpty
                    ? "the directory has neither *.safetensors nor *.gguf files"
                    : "the directory has several GGUF files (\(firsts.joined(separator: ", "))); name one")
        }
        return try readGGUF(Self.mapLocated(FileSystem.join(folder, firsts[0])), given: path)
    }

    /// Shards whose names say how many there must be, without an index.
    private mutating func readUnindexedShards(
        _ names: [String], folder: String, given path: String
    ) throws(TensorFileError) -> Checkpoint? {
        let shards = names.compactMap { name in SplitName(name).map { (name, $0) } }
        guard let first = shards.first?.1, shards.count == names.count,
            shards.allSatisfy({ $0.1.prefix == first.prefix && $0.1.count == first.count })
        else {
            throw .notAModel(
                path: path,
                reason: "the directory has several safetensors files and no index "
                    + "(\(names.prefix(4).joined(separator: ", "))); name one")
        }
        let present = Set(shards.map(\.1.number))
        for number in 1...max(1, first.count) where !present.contains(number) {
            guard present.count < first.count else { break }
            problems.add(
                Problem(
                    .shardMissing, file: FileSystem.join(folder, first.name(number)),
                    "this shard is not there; fetch the model again"))
        }
        var files: [MappedFile] = []
        for (name, _) in shards { files.append(try Self.mapLocated(FileSystem.join(folder, name))) }
        return readSafetensors(files, folder: folder, given: path, index: nil)
    }

    mutating func readSafetensors(
        _ mapped: [MappedFile], folder: String, given path: String, index: ShardIndex?
    ) -> Checkpoint? {
        var files: [Checkpoint.File] = []
        var tensors: [Tensor] = []
        var owners: [String: String] = [:]
        for file in mapped {
            guard let opened = SafetensorsFile.read(file, &problems) else { continue }
            let first = tensors.count
            tensors.append(contentsOf: opened.tensors)
            for tensor in opened.tensors {
                if let owner = owners.updateValue(file.path, forKey: tensor.name) {
                    problems.add(
                        Problem(
                            .tensorTwice, file: file.path, tensor: tensor.name,
                            "is in \(FileSystem.name(of: owner)) as well"))
                }
            }
            files.append(
                .init(
                    file: file, tensors: first..<tensors.count, dataStart: opened.dataStart,
                    metadata: opened.metadata,
                    digests: RecordedDigests(opened.metadata, tensorCount: opened.tensors.count)))
        }
        guard !files.isEmpty else { return nil }
        return Checkpoint(
            path: path, folder: folder, format: .safetensors, files: files, tensors: tensors, index: index)
    }
}
