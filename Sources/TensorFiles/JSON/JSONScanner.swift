/// Finds the values of a JSON text and checks its grammar.
struct JSONScanner {
    struct Failure: Error {
        var offset: Int
        var reason: String
    }

    private(set) var entries: [JSONEntry] = []
    private let refusesDuplicates: Bool
    private var position = 0

    init(refusesDuplicates: Bool) { self.refusesDuplicates = refusesDuplicates }

    private struct Container {
        var entry: Int
        var isObject: Bool
    }

    mutating func scan(_ bytes: Span<UInt8>) throws(Failure) {
        do { _ = try UTF8Span(validating: bytes) } catch {
            throw Failure(offset: error.byteOffsets.lowerBound, reason: "the text is not UTF-8")
        }
        entries.reserveCapacity(min(bytes.count / 16 + 4, 1 << 20))
        var open: [Container] = []
        skipSpace(bytes)
        value: while true {
            let isContainer = try scanValue(bytes, key: false)
            if isContainer {
                let isObject = entries[entries.count - 1].kind == .object
                open.append(Container(entry: entries.count - 1, isObject: isObject))
                guard open.count <= JSONDocument.depthLimit else {
                    throw Failure(offset: position - 1, reason: "values are nested more than 256 deep")
                }
                skipSpace(bytes)
                if peek(bytes) != (isObject ? UInt8(ascii: "}") : UInt8(ascii: "]")) {
                    if isObject { try scanKey(bytes) }
                    continue value
                }
            }
            while let container = open.last {
                skipSpace(bytes)
                let next = peek(bytes)
                if next == UInt8(ascii: ",") {
                    position += 1
                    skipSpace(bytes)
                    if container.isObject { try scanKey(bytes) }
                    continue value
                }
                guard next == (container.isObject ? UInt8(ascii: "}") : UInt8(ascii: "]")) else {
                    throw unexpected(bytes, container.isObject ? "',' or '}'" : "',' or ']'")
                }
                position += 1
                entries[container.entry].end = UInt32(position)
                entries[container.entry].next = UInt32(entries.count)
                if container.isObject, refusesDuplicates { try refuseDuplicates(in: container.entry, bytes) }
                open.removeLast()
            }
            break
        }
        skipSpace(bytes)
        guard position == bytes.count else {
            throw Failure(offset: position, reason: "something follows the end of the document")
        }
    }

    private func peek(_ bytes: Span<UInt8>) -> UInt8? { position < bytes.count ? bytes[position] : nil }

    private func unexpected(_ bytes: Span<UInt8>, _ expected: String) -> Failure {
        guard let byte = peek(bytes) else {
            return Failure(offset: position, reason: "the text ends where \(expected) was expected")
        }
        let found = (0x21...0x7E).contains(byte) ? "'\(Unicode.Scalar(byte))'" : "byte \(byte)"
        return Failure(offset: position, reason: "expected \(expected), found \(found)")
    }

    private mutating func skipSpace(_ bytes: Span<UInt8>) {
        while position < bytes.count {
            switch bytes[position] {
            case 0x20, 0x0A, 0x0D, 0x09: position += 1
            default: return
            }
        }
    }

    private mutating func scanKey(_ bytes: Span<UInt8>) throws(Failure) {
        guard peek(bytes) == UInt8(ascii: "\"") else { throw unexpected(bytes, "a key in quotation marks") }
        _ = try scanValue(bytes, key: true)
        skipSpace(bytes)
        guard peek(bytes) == UInt8(ascii: ":") else { throw unexpected(bytes, "':'") }
        position += 1
        skipSpace(bytes)
    }

    /// Appends the entry of the value at the position; for a container only its start. Returns whether it is one.
    private mutating func scanValue(_ bytes: Span<UInt8>, key: Bool) throws(Failure) -> Bool {
        guard let first = peek(bytes) else { throw unexpected(bytes, "a value") }
        let start = position
        switch first {
        case UInt8(ascii: "{"), UInt8(ascii: "["):
            position += 1
            append((start, position, first == UInt8(ascii: "{") ? .object : .array))
            return true
        case UInt8(ascii: "\""):
            try scanString(bytes, key: key)
        case UInt8(ascii: "t"): try scanWord(bytes, "true", .true)
        case UInt8(ascii: "f"): try scanWord(bytes, "false", .false)
        case UInt8(ascii: "n"): try scanWord(bytes, "null", .null)
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): try scanNumber(bytes)
        default: throw unexpected(bytes, "a value")
        }
        return false
    }

    private mutating func append(_ value: (start: Int, end: Int, kind: JSONNode.Kind), isEscaped: Bool = false) {
        entries.append(
            JSONEntry(
                start: UInt32(value.start), end: UInt32(value.end), next: UInt32(entries.count + 1),
                kind: value.kind, isEscaped: isEscaped))
    }

    private mutating func scanWord(_ bytes: Span<UInt8>, _ word: StaticString, _ kind: JSONNode.Kind) throws(Failure)
    {
        let text = word.description
        let start = position
        for byte in text.utf8 {
            guard peek(bytes) == byte else { throw Failure(offset: start, reason: "expected \(text)") }
            position += 1
        }
        append((start, position, kind))
    }

    private mutating func scanNumber(_ bytes: Span<UInt8>) throws(Failure) {
        let start = position
        if bytes[position] == UInt8(ascii: "-") { position += 1 }
        if peek(bytes) == UInt8(ascii: "0") { position += 1 } else { try scanDigits(bytes) }
        if peek(bytes) == UInt8(ascii: ".") {
            position += 1
            try scanDigits(bytes)
        }
        if let byte = peek(bytes), byte | 0x20 == UInt8(ascii: "e") {
            position += 1
            if let sign = peek(bytes), sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-") { position += 1 }
            try scanDigits(bytes)
        }
        append((start, position, .number))
    }

    private mutating func scanDigits(_ bytes: Span<UInt8>) throws(Failure) {
        let start = position
        while position < bytes.count, bytes[position] &- 0x30 < 10 { position += 1 }
        guard position > start else { throw unexpected(bytes, "a digit") }
    }

    private mutating func scanString(_ bytes: Span<UInt8>, key: Bool) throws(Failure) {
        let start = position + 1
        var cursor = start
        var isEscaped = false
        while cursor < bytes.count {
            let byte = bytes[cursor]
            if byte == UInt8(ascii: "\"") {
                append((start, cursor, key ? .key : .string), isEscaped: isEscaped)
                position = cursor + 1
                return
            }
            if byte == UInt8(ascii: "\\") {
                isEscaped = true
                cursor = try JSONEscape.scan(bytes, at: cursor).end
            } else if byte < 0x20 {
                throw Failure(offset: cursor, reason: "a control character inside a string must be escaped")
            } else {
                cursor += 1
            }
        }
        throw Failure(offset: start - 1, reason: "a string is not closed")
    }
}
