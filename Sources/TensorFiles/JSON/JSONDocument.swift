/// A JSON text, scanned once into a table of where its values are; values are decoded when they are asked for.
///
/// Strict (RFC 8259): no comments, no trailing commas, UTF-8 only, no lone surrogates. Memory is 16 bytes for each
/// value, so at most eight times the text. Keys that occur twice in an object are refused unless allowed.
public final class JSONDocument: Sendable {
    public enum DuplicateKeys: Sendable { case refused, allowed }

    public static let depthLimit = 256
    public static let sizeLimit = 1 << 30

    public let file: MappedFile
    /// The part of the file that is JSON.
    public let range: Range<Int>
    let entries: [JSONEntry]

    public init(
        _ file: MappedFile, range: Range<Int>? = nil, duplicateKeys: DuplicateKeys = .refused
    ) throws(TensorFileError) {
        let range = range ?? 0..<file.byteCount
        guard range.count <= Self.sizeLimit else {
            throw .invalidJSON(file: file.path, offset: range.lowerBound, reason: "it is larger than 1 GiB")
        }
        var scanner = JSONScanner(refusesDuplicates: duplicateKeys == .refused)
        do {
            try file.withBytes(range) { (bytes) throws(JSONScanner.Failure) in
                try bytes.withUInt8 { (bytes) throws(JSONScanner.Failure) in try scanner.scan(bytes) }
            }
        } catch {
            throw .invalidJSON(file: file.path, offset: range.lowerBound + error.offset, reason: error.reason)
        }
        self.file = file
        self.range = range
        entries = scanner.entries
    }

    /// Maps and scans a file.
    public convenience init(path: String, duplicateKeys: DuplicateKeys = .refused) throws(TensorFileError) {
        try self.init(MappedFile(path: path), duplicateKeys: duplicateKeys)
    }

    public var root: JSONNode { JSONNode(document: self, index: 0) }
}

/// One value (or key) in the order of the text; a container is followed by what it contains.
struct JSONEntry: BitwiseCopyable, Sendable {
    /// Byte offsets in the text, quotation marks and brackets left out for strings, included for the rest.
    var start: UInt32
    var end: UInt32
    /// Index of the entry after this value and all it contains.
    var next: UInt32
    var kind: JSONNode.Kind
    var isEscaped = false
}
