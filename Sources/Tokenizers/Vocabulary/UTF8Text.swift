/// Small questions about UTF-8 bytes.
enum UTF8Text {
    /// How many bytes a character has by its first one; 1 for a byte that begins no character.
    @inline(__always)
    static func length(lead: UInt8) -> Int {
        lead < 0xC0 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4
    }

    /// The character that begins at `index`, or `nil` when the bytes are none.
    static func scalar(_ text: [UInt8], at index: Int) -> Unicode.Scalar? {
        let lead = text[index]
        let count = length(lead: lead)
        guard index + count <= text.count else { return nil }
        var value = count == 1 ? UInt32(lead) : UInt32(lead & (0x7F >> UInt8(count)))
        for step in 1..<max(1, count) { value = value << 6 | UInt32(text[index + step] & 0x3F) }
        return Unicode.Scalar(value)
    }

    /// Where the character that ends before `index` begins.
    static func start(_ text: [UInt8], before index: Int) -> Int {
        var start = index - 1
        while start > 0, text[start] & 0xC0 == 0x80 { start -= 1 }
        return start
    }

    static func isWord(_ scalar: Unicode.Scalar) -> Bool {
        let properties = scalar.properties
        if properties.isAlphabetic || properties.isJoinControl { return true }
        switch properties.generalCategory {
        case .nonspacingMark, .spacingMark, .enclosingMark, .decimalNumber, .connectorPunctuation: return true
        default: return false
        }
    }

    /// How many bytes at the end of `bytes` begin a character that is not complete yet.
    static func incompleteSuffix(_ bytes: [UInt8]) -> Int {
        for back in 1...3 where back <= bytes.count {
            let byte = bytes[bytes.count - back]
            if byte & 0xC0 == 0x80 { continue }
            return length(lead: byte) > back && byte >= 0xC2 && byte <= 0xF4 ? back : 0
        }
        return 0
    }
}
