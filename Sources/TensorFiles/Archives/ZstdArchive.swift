/// Files compressed with Zstandard: `model.gguf.zst`.
public enum ZstdArchive {
    public static let suffix = ".zst"
    public static let defaultLevel = 3

    /// Unpacks to a scratch file without a name in the temporary folder (`TMPDIR`), and maps that: it takes disk,
    /// not memory, and goes with the process. The result is named as the archive is, without its suffix.
    public static func unpack(_ archive: MappedFile) throws(TensorFileError) -> MappedFile {
        let name = archive.path.hasSuffix(suffix) ? String(archive.path.dropLast(suffix.count)) : archive.path
        let scratch = try OutputFile(scratchIn: FileSystem.temporaryFolder)
        let announced = archive.withBytes { ZstdDecoder.contentSize($0) }
        let available = FileSystem.freeBytes(FileSystem.temporaryFolder)
        if let announced, announced > UInt64(available) {
            throw .noSpace(file: scratch.path, needed: Int(clamping: announced), available: available)
        }
        var decoder = ZstdDecoder()
        var size = 0
        var isComplete = false
        var start = 0
        do {
            while start < archive.byteCount {
                let piece = start..<min(archive.byteCount, start + 1 << 22)
                isComplete = try archive.withBytes(piece) { bytes in
                    try decoder.decode(bytes) { output in
                        guard output.byteCount <= available - size else {
                            throw TensorFileError.noSpace(
                                file: scratch.path, needed: size + output.byteCount, available: available)
                        }
                        try scratch.write(output, at: size)
                        size += output.byteCount
                    }
                }
                archive.release(piece)
                start = piece.upperBound
            }
        } catch let failure as ZstdDecoder.Failure {
            throw .cannotRead(file: archive.path, reason: "the archive is damaged: \(failure.reason)")
        } catch let failure as TensorFileError {
            throw failure
        } catch {
            throw .cannotRead(file: archive.path, reason: "\(error)")
        }
        guard isComplete else {
            throw .cannotRead(
                file: archive.path,
                reason: "the archive is cut short after \(archive.byteCount) bytes; fetch it again")
        }
        return try scratch.mapped(name: name)
    }

    /// Compresses a file to `target`, which appears only when it is complete.
    public static func pack(
        _ source: MappedFile, to target: String, level: Int = defaultLevel, threads: Int = 1,
        progress: ProgressHandler? = nil
    ) throws(TensorFileError) {
        let partial = target + ".partial"
        FileSystem.remove(partial)
        do {
            let output = try OutputFile(path: partial)
            var encoder = ZstdEncoder(level: level, threads: threads, byteCount: source.byteCount)
            var (start, size) = (0, 0)
            repeat {
                let piece = start..<min(source.byteCount, start + 1 << 22)
                try source.withBytes(piece) { (bytes) throws(TensorFileError) in
                    try encoder.encode(bytes, isLast: piece.upperBound == source.byteCount) {
                        (packed) throws(TensorFileError) in
                        try output.write(packed, at: size)
                        size += packed.byteCount
                    }
                }
                source.release(piece)
                start = piece.upperBound
                progress?(Progress(stage: "compress", completed: start, total: source.byteCount, unit: .bytes))
            } while start < source.byteCount
            try output.synchronize()
            try FileSystem.rename(partial, to: target)
        } catch {
            FileSystem.remove(partial)
            throw error
        }
    }
}
