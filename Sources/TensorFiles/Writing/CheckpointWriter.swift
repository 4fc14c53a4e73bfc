/// Writes the files of an `OutputPlan`: tensors in the plan's writing order, each byte once.
///
/// Bytes go to `NAME.partial` beside each target; `finish` gives the files their names once all are complete and on
/// the disk, so a target is whole or as it was. When writing stops half way, the partial files and a journal stay
/// (with `keepsPartial`), and a writer made with `resumes` goes on at the next tensor; the result has the same bytes.
///
///     let writer = try CheckpointWriter(plan, folder: folder, options: .init(resumes: true))
///     for index in plan.writingOrder.dropFirst(writer.completedTensors) { try writer.write(tensors[index]) }
///     try writer.finish()
///
/// Not for use from several threads at once.
public final class CheckpointWriter {
    public struct Options: Sendable {
        /// Replace targets that exist.
        public var overwrites = false
        /// Go on where an interrupted writer of the same plan and identity stopped, if there was one.
        public var resumes = false
        /// Leave partial files behind when writing does not finish, for a later `resumes`.
        public var keepsPartial = true
        /// Anything the bytes depend on beside the plan: the source files, the method. Resuming with another is refused.
        public var identity = ""
        /// The level at which files are compressed with zstd, to `NAME.zst`; `nil`: they are not.
        public var compression: Int?
        /// For compressing only; the bytes do not depend on it.
        public var threads = 1

        public init(
            overwrites: Bool = false, resumes: Bool = false, keepsPartial: Bool = true, identity: String = "",
            compression: Int? = nil, threads: Int = 1
        ) {
            self.overwrites = overwrites
            self.resumes = resumes
            self.keepsPartial = keepsPartial
            self.identity = identity
            self.compression = compression
            self.threads = threads
        }
    }

    public let plan: OutputPlan
    public let folder: String
    /// How many tensors, in writing order, are complete; those are not to be written again.
    public private(set) var completedTensors = 0
    private let options: Options
    private var journal: WritingJournal
    private var output: OutputFile?
    private var digester = TensorDigester()
    /// Position in `plan.files` and in that file's tensors, and bytes of the tensor written so far.
    private var fileIndex = 0
    private var tensorsBefore = 0
    private var tensorIndex = 0
    private var written = 0
    private var isFinished = false

    /// Checks the targets, reserves the disk space for everything and writes the headers.
    public init(_ plan: OutputPlan, folder: String, options: Options = .init()) throws(TensorFileError) {
        try FileSystem.createFolder(folder)
        let journalPath = FileSystem.join(folder, plan.name + ".partial.journal")
        let hasJournal = FileSystem.kind(of: journalPath) != nil
        let suffix = options.compression == nil ? "" : ZstdArchive.suffix
        let targets = plan.files.map { $0.name + suffix } + plan.sideFiles.map(\.name)
        if !options.overwrites, !(options.resumes && hasJournal) {
            for name in targets where FileSystem.kind(of: FileSystem.join(folder, name)) != nil {
                throw .exists(file: FileSystem.join(folder, name))
            }
        }
        journal = try WritingJournal(path: journalPath)
        self.plan = plan
        self.folder = folder
        self.options = options
        let fingerprint = Self.fingerprint(plan, options.identity)
        var digests: [TensorDigest] = []
        if let previous = journal.previousFingerprint {
            if options.resumes {
                guard previous == fingerprint else {
                    throw .cannotResume(
                        file: FileSystem.join(folder, plan.name), reason: "it was begun with other input or options")
                }
                digests = verifiedDigests()
            } else {
                for name in journal.previousFiles where !name.contains("/") {
                    FileSystem.remove(FileSystem.join(folder, name + ".partial"))
                }
            }
        }
        try journal.begin(fingerprint: fingerprint, files: plan.files.map(\.name), digests: digests)
        do {
            try prepareFiles()
            try advance(to: digests.count)
        } catch {
            if digests.isEmpty { discard() }
            throw error
        }
    }

    deinit {
        if !isFinished, !options.keepsPartial { discard() }
    }

    /// The tensor whose bytes come next; `nil` when all are complete.
    public var next: OutputPlan.PlacedTensor? {
        fileIndex < plan.files.count ? plan.files[fileIndex].tensors[tensorIndex] : nil
    }

    /// Digests of the complete tensors, in writing order.
    public var digests: [TensorDigest] { journal.digests }

    /// Appends bytes to the tensor that `next` names; the tensor is complete when it has as many as declared.
    public func append(_ bytes: RawSpan) throws(TensorFileError) {
        guard let tensor = next, let output else { preconditionFailure("all tensors are complete") }
        precondition(bytes.byteCount <= tensor.declaration.byteCount - written, "more bytes than declared")
        let offset = tensor.offset + written
        // In pieces that stay in the processor's cache between the one and the other.
        var start = 0
        while start < bytes.byteCount {
            let end = min(bytes.byteCount, start + 1 << 18)
            let piece = bytes.extracting(start..<end)
            digester.update(piece)
            try output.write(piece, at: offset + start)
            start = end
        }
        if bytes.byteCount >= 1 << 20 { output.startWriteback(offset..<offset + bytes.byteCount) }
        written += bytes.byteCount
        if written == tensor.declaration.byteCount { try completeTensor() }
    }

    /// Writes a whole tensor, which must be what `next` declares under whatever name, and progress in bytes.
    public func write(_ tensor: Tensor, progress: ((Int) -> Void)? = nil) throws {
        guard let declared = next?.declaration else { preconditionFailure("all tensors are complete") }
        precondition(tensor.type == declared.type && tensor.shape == declared.shape, "not the declared tensor")
        guard tensor.byteCount > 0 else { return try append(RawSpan()) }
        try tensor.forEachRun(byteBudget: 8 << 20) { _, bytes in
            try append(bytes)
            progress?(bytes.byteCount)
        }
    }

    /// Gives the files their names. All tensors must be complete.
    public func finish() throws(TensorFileError) {
        precondition(next == nil, "a tensor is not complete")
        for side in plan.sideFiles {
            let path = FileSystem.join(folder, side.name + ".partial")
            FileSystem.remove(path)
            let file = try OutputFile(path: path)
            try file.write(side.bytes, at: 0)
            try file.synchronize()
        }
        if let level = options.compression {
            for file in plan.files where FileSystem.kind(of: partialPath(file)) != nil {
                let target = FileSystem.join(folder, file.name + ZstdArchive.suffix)
                try ZstdArchive.pack(
                    MappedFile(path: partialPath(file)), to: target, level: level, threads: options.threads)
                FileSystem.remove(partialPath(file))
            }
        }
        for name in plan.files.map(\.name) + plan.sideFiles.map(\.name) {
            let partial = FileSystem.join(folder, name + ".partial")
            // After an interruption between two renames, some files have their names already.
            if FileSystem.kind(of: partial) != nil {
                try FileSystem.rename(partial, to: FileSystem.join(folder, name))
            }
        }
        FileSystem.synchronize(folder: folder)
        FileSystem.remove(journal.file.path)
        isFinished = true
    }

    /// Removes everything that was written so far.
    public func discard() {
        guard !isFinished else { return }
        output = nil
        for file in plan.files { FileSystem.remove(FileSystem.join(folder, file.name + ".partial")) }
        for side in plan.sideFiles { FileSystem.remove(FileSystem.join(folder, side.name + ".partial")) }
        FileSystem.remove(journal.file.path)
        isFinished = true
    }
}

extension CheckpointWriter {
    private func completeTensor() throws(TensorFileError) {
        try journal.append(digester.digest)
        digester.reset()
        written = 0
        try advance(to: completedTensors + 1)
    }

    /// Makes `count` the number of complete tensors, and completes the files whose tensors all are.
    private func advance(to count: Int) throws(TensorFileError) {
        completedTensors = count
        while fileIndex < plan.files.count {
            let file = plan.files[fileIndex]
            if output == nil { output = try openPartial(file) }
            tensorIndex = count - tensorsBefore
            guard tensorIndex >= file.tensors.count else { return }
            try completeFile(file)
            tensorsBefore += file.tensors.count
            fileIndex += 1
        }
    }

    private func completeFile(_ file: OutputPlan.File) throws(TensorFileError) {
        guard let output else { return }
        if let slot = file.digestSlot {
            let written = journal.digests[tensorsBefore..<tensorsBefore + file.tensors.count]
            // An empty tensor shares its place with the next.
            let own = zip(file.tensors, written).sorted { one, other in
                (one.0.offset, one.0.declaration.byteCount) < (other.0.offset, other.0.declaration.byteCount)
            }.map(\.1)
            let bytes: [UInt8] =
                switch slot.encoding {
                case .bytes: own.flatMap(\.bytes)
                case .hexadecimal: own.flatMap { Array($0.description.utf8) }
                }
            try output.write(bytes, at: slot.offset)
        }
        try output.synchronize()
        self.output = nil
    }

    private func partialPath(_ file: OutputPlan.File) -> String { FileSystem.join(folder, file.name + ".partial") }

    /// The partial file; after an interruption while files were renamed, the file with its final name.
    private func openPartial(_ file: OutputPlan.File) throws(TensorFileError) -> OutputFile {
        let partial = partialPath(file)
        let target = FileSystem.join(folder, file.name)
        let isRenamed = FileSystem.kind(of: partial) == nil && FileSystem.kind(of: target) == .file
        return try OutputFile(path: isRenamed ? target : partial)
    }

    /// Reserves space for all files and writes their headers, where that has not been done.
    private func prepareFiles() throws(TensorFileError) {
        var needed = 0
        for file in plan.files where FileSystem.kind(of: partialPath(file)) == nil { needed += file.byteCount }
        let available = FileSystem.freeBytes(folder)
        guard needed <= available else {
            throw .noSpace(file: FileSystem.join(folder, plan.name), needed: needed, available: available)
        }
        for file in plan.files {
            let finished = FileSystem.join(folder, file.name)
            if options.resumes, FileSystem.kind(of: partialPath(file)) == nil, !journal.digests.isEmpty,
                FileSystem.kind(of: finished) == .file
            {
                continue
            }
            let partial = try OutputFile(path: partialPath(file))
            if partial.byteCount != file.byteCount || journal.digests.isEmpty {
                try partial.truncate(0)
                try partial.reserve(file.byteCount)
                try partial.write(file.header, at: 0)
            }
        }
    }

    /// The digests of the journal up to the first tensor whose bytes in the partial files are not those.
    private func verifiedDigests() -> [TensorDigest] {
        var verified: [TensorDigest] = []
        var left = journal.digests[...]
        for file in plan.files {
            let path = [partialPath(file), FileSystem.join(folder, file.name)].first {
                FileSystem.kind(of: $0) == .file
            }
            guard !left.isEmpty, let path, let mapped = try? MappedFile(path: path),
                mapped.byteCount == file.byteCount
            else { break }
            for tensor in file.tensors {
                guard let expected = left.popFirst() else { return verified }
                let range = tensor.offset..<tensor.offset + tensor.declaration.byteCount
                let found = mapped.withBytes(range) { TensorDigest(of: $0) }
                mapped.release(range)
                guard found == expected else { return verified }
                verified.append(expected)
            }
        }
        return verified
    }

    private static func fingerprint(_ plan: OutputPlan, _ identity: String) -> String {
        var digester = TensorDigester()
        func add(_ bytes: [UInt8]) {
            var length: [UInt8] = []
            length.appendLittleEndian(UInt64(bytes.count))
            unsafe digester.update(length.span.bytes)
            unsafe digester.update(bytes.span.bytes)
        }
        add(Array(identity.utf8))
        for file in plan.files {
            add(Array(file.name.utf8))
            add(file.header)
        }
        for side in plan.sideFiles { add(side.bytes) }
        return digester.digest.description
    }
}
