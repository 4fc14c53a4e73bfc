/// A file put together from parts of other files and bytes, whole or not at all.
public enum AssembledFile {
    public enum Part: Sendable {
        case file(MappedFile, Range<Int>)
        case bytes([UInt8])

        var byteCount: Int {
            switch self {
            case .file(_, let range): range.count
            case .bytes(let bytes): bytes.count
            }
        }
    }

    /// Writes the parts one after the other; the file appears under its name when it is complete and on the disk.
    ///
    /// - Parameter progress: called with the bytes of each run that was written.
    public static func write(
        _ parts: [Part], to path: String, overwrites: Bool, progress: ((Int) -> Void)? = nil
    ) throws(TensorFileError) {
        guard overwrites || FileSystem.kind(of: path) == nil else { throw .exists(file: path) }
        let partial = path + ".partial"
        FileSystem.remove(partial)
        do throws(TensorFileError) {
            let output = try OutputFile(path: partial)
            try output.reserve(parts.reduce(0) { $0 + $1.byteCount })
            var offset = 0
            for part in parts {
                switch part {
                case .bytes(let bytes):
                    try output.write(bytes, at: offset)
                    offset += bytes.count
                case .file(let file, let range):
                    for start in stride(from: range.lowerBound, to: range.upperBound, by: 8 << 20) {
                        let run = start..<min(range.upperBound, start + 8 << 20)
                        try file.withBytes(run) { (bytes) throws(TensorFileError) in
                            try output.write(bytes, at: offset)
                        }
                        file.release(run)
                        offset += run.count
                        progress?(run.count)
                    }
                }
            }
            try output.synchronize()
            try FileSystem.rename(partial, to: path)
            FileSystem.synchronize(folder: FileSystem.folder(of: path))
        } catch {
            FileSystem.remove(partial)
            throw error
        }
    }
}
