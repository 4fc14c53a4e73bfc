/// A value of a `JSONDocument`.
public struct JSONNode: Sendable {
    public enum Kind: UInt8, Sendable, BitwiseCopyable {
        case null, `true`, `false`, number, string, array, object
        /// A key of an object; never the kind of a node that is handed out.
        case key
    }

    public let document: JSONDocument
    let index: Int

    private var entry: JSONEntry { document.entries[index] }
    private var range: Range<Int> {
        document.range.lowerBound + Int(entry.start)..<document.range.lowerBound + Int(entry.end)
    }

    public var kind: Kind { entry.kind }
    public var isNull: Bool { kind == .null }

    /// Where the value starts in the file.
    public var byteOffset: Int { kind == .string ? range.lowerBound - 1 : range.lowerBound }

    public var bool: Bool? {
        switch kind {
        case .true: true
        case .false: false
        default: nil
        }
    }

    /// The value as a string, escape sequences decoded.
    public var string: String? {
        guard kind == .string else { return nil }
        return withText { $0.repairedText }
    }

    /// Exact; `nil` for a number with a fraction or exponent, or out of range.
    public var int: Int? { kind == .number ? Int(rawText) : nil }

    /// The nearest double to any number; `nil` when its magnitude is beyond the type.
    public var double: Double? {
        guard kind == .number, let value = Double(rawText), value.isFinite else { return nil }
        return value
    }

    /// The value as it is written in the file (a string without its quotation marks).
    public var rawText: String { document.file.withBytes(range) { $0.repairedText } }

    /// Calls `body` with the UTF-8 of a string, escape sequences decoded; with no copy when there are none.
    public func withText<Result, Failure: Error>(
        _ body: (RawSpan) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        guard entry.isEscaped else { return try document.file.withBytes(range, body) }
        let decoded = document.file.withBytes(range) { bytes in bytes.withUInt8 { JSONEscape.decode($0) } }
        return try unsafe body(decoded.span.bytes)
    }

    /// The elements of an array; empty for anything else.
    public var elements: Elements {
        guard kind == .array else { return Elements(document: document, cursor: 0, end: 0) }
        return Elements(document: document, cursor: index + 1, end: Int(entry.next))
    }

    /// The members of an object in the order of the file; empty for anything else.
    public var members: Members {
        guard kind == .object else { return Members(document: document, cursor: 0, end: 0) }
        return Members(document: document, cursor: index + 1, end: Int(entry.next))
    }

    /// The member named `key`: a search through the object.
    public subscript(key: String) -> JSONNode? {
        for member in members where member.hasKey(key) { return member.value }
        return nil
    }

    /// The value at a path of keys.
    public subscript(path path: [String]) -> JSONNode? {
        var node: JSONNode? = self
        for key in path { node = node?[key] }
        return node
    }

    public struct Elements: Sequence, IteratorProtocol, Sendable {
        let document: JSONDocument
        var cursor: Int
        let end: Int

        public mutating func next() -> JSONNode? {
            guard cursor < end else { return nil }
            defer { cursor = Int(document.entries[cursor].next) }
            return JSONNode(document: document, index: cursor)
        }
    }

    public struct Members: Sequence, IteratorProtocol, Sendable {
        let document: JSONDocument
        var cursor: Int
        let end: Int

        public mutating func next() -> Member? {
            guard cursor < end else { return nil }
            defer { cursor = Int(document.entries[cursor + 1].next) }
            return Member(keyNode: JSONNode(document: document, index: cursor))
        }
    }

    public struct Member: Sendable {
        let keyNode: JSONNode

        public var value: JSONNode { JSONNode(document: keyNode.document, index: keyNode.index + 1) }
        public var key: String { withKey { $0.repairedText } }
        /// Where the key's quotation mark is in the file.
        public var keyOffset: Int { keyNode.range.lowerBound - 1 }

        /// Calls `body` with the key's UTF-8, with no copy unless it has escape sequences.
        public func withKey<Result, Failure: Error>(
            _ body: (RawSpan) throws(Failure) -> Result
        ) throws(Failure) -> Result {
            try keyNode.withText(body)
        }

        package func hasKey(_ key: String) -> Bool {
            withKey { span in
                guard span.byteCount == key.utf8.count else { return false }
                var offset = 0
                for byte in key.utf8 {
                    guard span.loadLittleEndian(offset, as: UInt8.self) == byte else { return false }
                    offset += 1
                }
                return true
            }
        }
    }
}
