extension CheckpointReader {
    /// A GGUF file, and where it is the first of a split, the others: rules SP-01 to SP-07.
    mutating func readGGUF(_ file: MappedFile, given path: String) throws(TensorFileError) -> Checkpoint? {
        guard let first = GGUFFile.read(file, &problems) else { return nil }
        var parts = [first]
        if first.metadata["split.count"] != nil || first.metadata["split.no"] != nil {
            parts += try readOtherParts(first)
        }
        var files: [Checkpoint.File] = []
        var tensors: [Tensor] = []
        for part in parts {
            files.append(
                .init(
                    file: part.file, tensors: tensors.count..<tensors.count + part.tensors.count,
                    dataStart: part.dataStart, metadata: [],
                    digests: RecordedDigests(part.metadata, tensorCount: part.tensors.count)))
            tensors += part.tensors
        }
        if parts.count > 1 { checkSplitTensors(files, tensors, first) }
        return Checkpoint(
            path: path, folder: FileSystem.folder(of: file.path), format: .gguf, files: files, tensors: tensors,
            gguf: first.metadata)
    }

    private mutating func readOtherParts(_ first: GGUFFile) throws(TensorFileError) -> [GGUFFile] {
        let path = first.file.path
        guard let number = first.metadata["split.no"]?.int, let count = first.metadata["split.count"]?.int,
            count >= 0, number >= 0
        else {
            problems.add(
                Problem(
                    .splitKeys, file: path, tensor: "split.count",
                    "split.no and split.count must both be there and be integers"))
            return []
        }
        guard count > 1 else { return [] }
        guard count <= 99_999 else {
            problems.add(Problem(.splitKeys, file: path, tensor: "split.count", "\(count) parts cannot be"))
            return []
        }
        let name = SplitName(FileSystem.name(of: path))
        guard number == 0 else {
            let firstName = name.map { " (\($0.name(1)))" } ?? ""
            problems.add(
                Problem(
                    .splitNotFirst, file: path, tensor: "split.no",
                    "this is part \(number + 1) of \(count); a split model is opened by its first part\(firstName)"))
            return []
        }
        guard let name, name.number == 1, name.count == count else {
            problems.add(
                Problem(
                    .splitFileName, file: path,
                    "the first of \(count) parts must be called …-00001-of-\(String(100_000 + count).dropFirst()).gguf "
                        + "so that the others can be found"))
            return []
        }
        var parts: [GGUFFile] = []
        for number in 2...count {
            let other = FileSystem.join(FileSystem.folder(of: path), name.name(number))
            guard let located = Self.locate(other) else {
                problems.add(Problem(.splitMissing, file: other, "this part is not there; fetch the model again"))
                // A header that promises 99,999 parts is not worth 99,998 messages.
                if problems.problems.count > 100 { return parts }
                continue
            }
            guard let part = GGUFFile.read(try Self.map(located), &problems) else { continue }
            if part.metadata["split.no"]?.int != number - 1 || part.metadata["split.count"]?.int != count {
                problems.add(
                    Problem(
                        .splitCount, file: other, tensor: "split.no",
                        "must say that this is part \(number) of \(count); it is from another split"))
            }
            parts.append(part)
        }
        return parts
    }

    private mutating func checkSplitTensors(_ files: [Checkpoint.File], _ tensors: [Tensor], _ first: GGUFFile) {
        if let total = first.metadata["split.tensors.count"]?.int, total != tensors.count {
            problems.add(
                Problem(
                    .splitTensorCount, file: first.file.path, tensor: "split.tensors.count",
                    "\(total) tensors are announced, the parts hold \(tensors.count)"))
        }
        var owners: [String: String] = [:]
        for file in files {
            for tensor in tensors[file.tensors] {
                if let owner = owners.updateValue(file.file.path, forKey: tensor.name), owner != file.file.path {
                    problems.add(
                        Problem(
                            .splitTensorTwice, file: file.file.path, tensor: tensor.name,
                            "is in \(FileSystem.name(of: owner)) as well"))
                }
            }
        }
    }
}
