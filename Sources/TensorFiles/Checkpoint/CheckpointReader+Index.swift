extension CheckpointReader {
    /// A folder whose index says which shard holds what; shards and index must agree in both directions.
    mutating func readIndexed(
        folder: String, index name: String, given path: String
    ) throws(TensorFileError) -> Checkpoint? {
        let indexFile = try MappedFile(path: FileSystem.join(folder, name))
        guard let index = ShardIndex(parsing: indexFile, &problems) else { return nil }
        var mapped: [MappedFile] = []
        for shard in index.files {
            guard let file = try openShard(shard, folder: folder, index: index) else { continue }
            mapped.append(file)
        }
        let checkpoint = readSafetensors(mapped, folder: folder, given: path, index: index)
        if let checkpoint { compare(index, checkpoint) }
        try reportUnlistedShards(index, folder: folder)
        return checkpoint
    }

    /// Rules IX-03 and IX-04.
    private mutating func openShard(
        _ name: String, folder: String, index: ShardIndex
    ) throws(TensorFileError) -> MappedFile? {
        let plain = FileSystem.join(folder, name)
        let path = Self.locate(plain) ?? plain
        guard FileSystem.kind(of: path) == .file else {
            let count = index.entries.count { $0.file == name }
            let broken = FileSystem.isLink(path) ? "is a link that leads nowhere" : "is not there"
            problems.add(
                Problem(
                    .shardMissing, file: path,
                    "this shard, named by \(FileSystem.name(of: index.path)) for \(count) tensors, \(broken); "
                        + "fetch it again"))
            return nil
        }
        if FileSystem.isLink(path) {
            let target = FileSystem.resolved(path)
            let home = FileSystem.resolved(folder)
            guard let target, let home, target.hasPrefix(home == "/" ? home : home + "/") else {
                problems.add(
                    Problem(
                        .indexLinkLeavesFolder, file: path,
                        "this shard is a symbolic link to \(target ?? "nowhere"), outside the index's folder, which "
                            + "is refused; copy the model with its links followed (cp -rL), or fetch it with "
                            + "hf download --local-dir"))
                return nil
            }
        }
        return try Self.map(path)
    }

    /// Rules IX-05 to IX-07, IX-09 and IX-10.
    private mutating func compare(_ index: ShardIndex, _ checkpoint: Checkpoint) {
        var holders: [String: String] = [:]
        for file in checkpoint.files {
            for tensor in checkpoint.tensors[file.tensors] { holders[tensor.name] = file.file.name }
        }
        let opened = Set(checkpoint.files.map(\.file.name))
        var missing: [ShardIndex.Entry] = []
        var listed: Set<String> = []
        for entry in index.entries where opened.contains(entry.file) {
            listed.insert(entry.tensor)
            guard let holder = holders[entry.tensor] else {
                missing.append(entry)
                continue
            }
            if holder != entry.file {
                problems.add(
                    Problem(
                        .tensorInOtherShard, file: index.path, tensor: entry.tensor, offset: entry.offset,
                        "the index says it is in \(entry.file), it is in \(holder)"))
            }
        }
        var extra: [(tensor: String, file: MappedFile)] = []
        for file in checkpoint.files {
            for tensor in checkpoint.tensors[file.tensors] where !listed.contains(tensor.name) {
                extra.append((tensor.name, file.file))
            }
        }
        for entry in missing {
            let candidates = missing.count * extra.count <= 20_000 ? extra.filter { $0.file.name == entry.file } : []
            if let twin = NameDistance.closest(to: entry.tensor, among: candidates.map(\.tensor)) {
                extra.removeAll { $0.tensor == twin }
                problems.add(
                    Problem(
                        .tensorMisnamed, file: index.path, tensor: entry.tensor, offset: entry.offset,
                        "is not in \(entry.file), which holds \(twin.quotedForMessages), unknown to the index: "
                            + "one of the two is misnamed"))
            } else {
                problems.add(
                    Problem(
                        .tensorMissing, file: index.path, tensor: entry.tensor, offset: entry.offset,
                        "the index says it is in \(entry.file), which does not hold it"))
            }
        }
        for (tensor, file) in extra {
            problems.add(
                Problem(
                    .tensorExtra, file: file.path, tensor: tensor,
                    "is in this shard, but not in \(FileSystem.name(of: index.path))"))
        }
        if let total = index.totalSize, missing.isEmpty, opened.count == index.files.count,
            total != checkpoint.byteCount
        {
            problems.add(
                Problem(
                    .totalSize, file: index.path,
                    "metadata.total_size is \(total), the tensors have \(checkpoint.byteCount) bytes"))
        }
    }

    /// Rule IX-11: a shard of the same series that the index has forgotten.
    private mutating func reportUnlistedShards(_ index: ShardIndex, folder: String) throws(TensorFileError) {
        let series = Set(index.files.compactMap { SplitName($0)?.prefix })
        let listed = Set(index.files)
        for name in try FileSystem.names(in: folder) where name.hasSuffix(".safetensors") && !listed.contains(name) {
            guard let shard = SplitName(name), series.contains(shard.prefix) else { continue }
            problems.add(
                Problem(
                    .shardUnlisted, file: FileSystem.join(folder, name),
                    "no tensor of this shard is in \(FileSystem.name(of: index.path)); "
                        + "delete it, or fetch the index again"))
        }
    }
}
