public import TensorFiles

/// A graft inside a model's GGUF file: the sidecar's bytes after the last tensor's, then a trailer that says where
/// they begin. formats/graft.md section 4.
///
/// The model's bytes are what they were, a prefix of the file, so that taking the graft out is cutting the file
/// short, and a program that knows nothing of grafts reads the model as ever: readers take tensors where the header
/// says and look at nothing behind them.
public struct InlineGraft: Hashable, Sendable {
    /// Bytes of the model's own part.
    public let modelByteCount: Int
    /// Where the graft's own GGUF is in the file.
    public let sidecar: Range<Int>
    /// XXH3 128 of the sidecar's bytes as the trailer has it, in lowercase hexadecimal.
    public let digest: String

    /// The last bytes of a file with a graft inside.
    static let magic: [UInt8] = Array("foretoken-graft\u{1}".utf8)
    /// Magic, length of the model's part, start and length of the sidecar (u64 each), digest of the sidecar (16 bytes),
    /// the low half of the digest of all that (u64), magic.
    static let trailerByteCount = 16 + 3 * 8 + 16 + 8 + 16
    /// The sidecar starts at a multiple of this, so that its tensors lie in memory as they would in a file.
    public static let alignment = 4096

    public init(modelByteCount: Int, sidecar: Range<Int>, digest: String) {
        self.modelByteCount = modelByteCount
        self.sidecar = sidecar
        self.digest = digest
    }

    /// Where a sidecar of `byteCount` bytes goes behind a model of `modelByteCount` bytes.
    public init(after modelByteCount: Int, sidecarByteCount: Int, digest: String) {
        let start = (modelByteCount + Self.alignment - 1) / Self.alignment * Self.alignment
        self.init(modelByteCount: modelByteCount, sidecar: start..<start + sidecarByteCount, digest: digest)
    }

    /// Zero bytes between the model and the sidecar.
    public var padding: Int { sidecar.lowerBound - modelByteCount }

    /// The trailer, which follows the sidecar at once.
    public var trailer: [UInt8] {
        var bytes = Self.magic
        bytes.appendLittleEndian(UInt64(modelByteCount))
        bytes.appendLittleEndian(UInt64(sidecar.lowerBound))
        bytes.appendLittleEndian(UInt64(sidecar.count))
        let digits = Array(digest)
        for index in stride(from: 0, to: 32, by: 2) {
            bytes.append(index + 2 <= digits.count ? UInt8(String(digits[index..<index + 2]), radix: 16) ?? 0 : 0)
        }
        bytes.appendLittleEndian(Self.check(bytes))
        return bytes + Self.magic
    }

    private static func check(_ bytes: [UInt8]) -> UInt64 { unsafe TensorDigest(of: bytes.span.bytes).low }

    /// The graft inside a file; `nil` when there is none. Throws GR-10 for a trailer that contradicts the file.
    public static func find(in file: MappedFile) throws(ModelError) -> InlineGraft? {
        guard file.byteCount > trailerByteCount else { return nil }
        let start = file.byteCount - trailerByteCount
        let bytes = file.withBytes(start..<file.byteCount) { $0.copied() }
        guard bytes.suffix(magic.count).elementsEqual(magic) else { return nil }
        guard bytes.prefix(magic.count).elementsEqual(magic) else {
            throw .graft(.damagedTrailer(file: file.path, offset: start, reason: "the trailer has no beginning"))
        }
        let (numbers, sum) = file.withBytes(start..<file.byteCount) { span in
            (
                (0..<3).map { span.loadLittleEndian(16 + 8 * $0, as: UInt64.self) },
                span.loadLittleEndian(56, as: UInt64.self)
            )
        }
        guard sum == check(Array(bytes[..<56])) else {
            throw .graft(
                .damagedTrailer(
                    file: file.path, offset: start, reason: "the trailer's digest is not that of its bytes"))
        }
        guard numbers.allSatisfy({ $0 <= UInt64(start) }), numbers[0] <= numbers[1], numbers[2] > 0,
            numbers[1] + numbers[2] == UInt64(start)
        else {
            throw .graft(
                .damagedTrailer(
                    file: file.path, offset: start,
                    reason: "model \(numbers[0]), graft at \(numbers[1]) of \(numbers[2]) bytes, trailer at \(start)")
            )
        }
        let digest = bytes[40..<56].map { byte in
            let text = String(byte, radix: 16)
            return byte < 16 ? "0" + text : text
        }
        return InlineGraft(
            modelByteCount: Int(numbers[0]), sidecar: Int(numbers[1])..<start, digest: digest.joined())
    }
}
