/// The digests that a file of ours says its tensors have.
public enum RecordedDigests: Sendable, Equatable {
    case absent
    /// In the order of the file's tensors.
    case present([TensorDigest])
    /// The keys are there, but not as we write them.
    case unreadable(String)

    /// From `__metadata__`.
    init(_ metadata: [(key: String, value: String)], tensorCount: Int) {
        guard let text = metadata.first(where: { $0.key == OutputPlan.safetensorsDigestKey })?.value else {
            self = .absent
            return
        }
        guard text.utf8.count == 32 * tensorCount else {
            self = .unreadable("holds \(text.utf8.count) digits, \(tensorCount) tensors need \(32 * tensorCount)")
            return
        }
        var digests: [TensorDigest] = []
        var rest = Substring(text).unicodeScalars
        while !rest.isEmpty {
            guard let digest = TensorDigest(Substring(rest.prefix(32))) else {
                self = .unreadable("holds something that is not a hexadecimal digit")
                return
            }
            digests.append(digest)
            rest = rest.dropFirst(32)
        }
        self = .present(digests)
    }

    init(_ metadata: GGUFMetadata, tensorCount: Int) {
        guard let value = metadata[OutputPlan.ggufDigestKey] else {
            self = .absent
            return
        }
        guard let array = value.array, array.elementKind == .uint8, array.count == 16 * tensorCount else {
            self = .unreadable("must be an array of \(16 * tensorCount) bytes, 16 for each tensor")
            return
        }
        guard metadata[OutputPlan.ggufDigestAlgorithmKey]?.string == TensorDigest.algorithm else {
            self = .unreadable("are of another algorithm than \(TensorDigest.algorithm)")
            return
        }
        self = array.withEncodedBytes { bytes in
            .present((0..<tensorCount).map { TensorDigest(canonical: bytes, at: 16 * $0) })
        }
    }
}
