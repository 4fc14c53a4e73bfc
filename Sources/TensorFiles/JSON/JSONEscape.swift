/// Escape sequences of JSON strings.
package enum JSONEscape {
    /// The scalar that the sequence starting with the backslash at `offset` stands for, and the offset after it.
    static func scan(
        _ bytes: Span<UInt8>, at offset: Int
    ) throws(JSONScanner.Failure) -> (scalar: Unicode.Scalar, end: Int) {
        guard offset + 1 < bytes.count else {
            throw .init(offset: offset, reason: "the text ends inside an escape sequence")
        }
        let simple: Unicode.Scalar? =
            switch bytes[offset + 1] {
            case UInt8(ascii: "\""): "\""
            case UInt8(ascii: "\\"): "\\"
            case UInt8(ascii: "/"): "/"
            case UInt8(ascii: "b"): "\u{8}"
            case UInt8(ascii: "f"): "\u{C}"
            case UInt8(ascii: "n"): "\n"
            case UInt8(ascii: "r"): "\r"
            case UInt8(ascii: "t"): "\t"
            default: nil
            }
        if let simple { return (simple, offset + 2) }
        guard bytes[offset + 1] == UInt8(ascii: "u") else {
            throw .init(offset: offset, reason: "unknown escape sequence")
        }
        let unit = try hexadecimal(bytes, at: offset + 2)
        guard UTF16.isLeadSurrogate(unit) else {
            guard let scalar = Unicode.Scalar(unit) else {
                throw .init(offset: offset, reason: "a surrogate stands alone")
            }
            return (scalar, offset + 6)
        }
        guard offset + 7 < bytes.count, bytes[offset + 6] == UInt8(ascii: "\\"),
            bytes[offset + 7] == UInt8(ascii: "u")
        else { throw .init(offset: offset, reason: "a surrogate stands alone") }
        let trail = try hexadecimal(bytes, at: offset + 8)
        guard UTF16.isTrailSurrogate(trail),
            let scalar = Unicode.Scalar(0x10000 + (UInt32(unit) - 0xD800) << 10 + (UInt32(trail) - 0xDC00))
        else { throw .init(offset: offset, reason: "a surrogate stands alone") }
        return (scalar, offset + 12)
    }

    private static func hexadecimal(_ bytes: Span<UInt8>, at offset: Int) throws(JSONScanner.Failure) -> UInt16 {
        guard offset + 4 <= bytes.count else {
            throw .init(offset: offset, reason: "the text ends inside an escape sequence")
        }
        var unit: UInt16 = 0
        for index in offset..<offset + 4 {
            guard let digit = Character(Unicode.Scalar(bytes[index])).hexDigitValue else {
                throw .init(offset: index, reason: "expected a hexadecimal digit")
            }
            unit = unit << 4 | UInt16(digit)
        }
        return unit
    }

    /// The bytes of a string's text with its escape sequences decoded; the scanner has accepted the text.
    static func decode(_ bytes: Span<UInt8>) -> [UInt8] {
        var decoded: [UInt8] = []
        decoded.reserveCapacity(bytes.count)
        var cursor = 0
        while cursor < bytes.count {
            if bytes[cursor] == UInt8(ascii: "\\"), let (scalar, end) = try? scan(bytes, at: cursor) {
                decoded.append(contentsOf: UTF8.encode(scalar)!)
                cursor = end
            } else {
                decoded.append(bytes[cursor])
                cursor += 1
            }
        }
        return decoded
    }

    /// `text` in quotation marks, escaping what must be: the form in which serde (and so the reference writer of
    /// safetensors) and Python's `json.dumps(ensure_ascii=False)` agree.
    package static func quote(_ text: String, into output: inout [UInt8]) {
        output.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""): output.append(contentsOf: #"\""#.utf8)
            case UInt8(ascii: "\\"): output.append(contentsOf: #"\\"#.utf8)
            case 0x08: output.append(contentsOf: #"\b"#.utf8)
            case 0x0C: output.append(contentsOf: #"\f"#.utf8)
            case 0x0A: output.append(contentsOf: #"\n"#.utf8)
            case 0x0D: output.append(contentsOf: #"\r"#.utf8)
            case 0x09: output.append(contentsOf: #"\t"#.utf8)
            case 0..<0x20:
                output.append(contentsOf: #"\u00"#.utf8)
                output.append(contentsOf: (byte < 0x10 ? "0" : "").utf8)
                output.append(contentsOf: String(byte, radix: 16).utf8)
            default: output.append(byte)
            }
        }
        output.append(UInt8(ascii: "\""))
    }
}
