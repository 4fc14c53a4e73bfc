/// The small file beside partial output that says how far writing came: formats/partial.md.
///
/// A line for the plan, a line for each partial file, then a line for each finished tensor with its digest. It is
/// also the lock that keeps two processes from writing the same output.
struct WritingJournal {
    private static let title = "foretoken partial output 1"

    let file: OutputFile
    private var end = 0
    private(set) var digests: [TensorDigest] = []
    /// What the journal said when it was opened.
    private(set) var previousFingerprint: String?
    private(set) var previousFiles: [String] = []

    /// Opens and claims the journal, creating it when it is not there.
    init(path: String) throws(TensorFileError) {
        file = try OutputFile(path: path)
        guard file.lock() else { throw .inUse(file: path) }
        let text = try MappedFile(path: path).withBytes { $0.repairedText }
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false).dropLast().makeIterator()
        guard let first = lines.next(), first.hasPrefix(Self.title + " ") else { return }
        previousFingerprint = String(first.dropFirst(Self.title.count + 1))
        while let line = lines.next() {
            if line.hasPrefix("file ") {
                previousFiles.append(String(line.dropFirst(5)))
            } else if line.hasPrefix("tensor "), let digest = TensorDigest(line.dropFirst(7)) {
                digests.append(digest)
            } else {
                break
            }
        }
    }

    /// Starts over with `digests` of the tensors that are known to be there.
    mutating func begin(fingerprint: String, files: [String], digests: [TensorDigest]) throws(TensorFileError) {
        try file.truncate(0)
        end = 0
        self.digests = []
        try append("\(Self.title) \(fingerprint)\n" + files.map { "file \($0)\n" }.joined())
        for digest in digests { try append(digest) }
    }

    mutating func append(_ digest: TensorDigest) throws(TensorFileError) {
        try append("tensor \(digest)\n")
        digests.append(digest)
    }

    private mutating func append(_ text: String) throws(TensorFileError) {
        let bytes = Array(text.utf8)
        try file.write(bytes, at: end)
        end += bytes.count
    }
}
