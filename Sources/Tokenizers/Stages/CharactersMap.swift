/// SentencePiece's compiled normalization rules: a double-array trie of character sequences, and what each becomes.
///
/// Layout: trie size in bytes (u32), the trie's 32-bit units, then replacements, each ended by a zero byte.
/// Source: the Darts double-array library, units as in its version 0.32.
struct CharactersMap: Sendable {
    private let units: [UInt32]
    private let replacements: [UInt8]
    /// The map as it came.
    let bytes: [UInt8]

    init?(_ bytes: [UInt8]) {
        func word(_ index: Int) -> UInt32 {
            (0..<4).reduce(0) { $0 | UInt32(bytes[index + $1]) << UInt32(8 * $1) }
        }
        guard bytes.count >= 4 else { return nil }
        let size = Int(word(0))
        guard size % 4 == 0, size > 0, size <= bytes.count - 4 else { return nil }
        units = (0..<size / 4).map { word(4 + 4 * $0) }
        replacements = Array(bytes[(4 + size)...])
        self.bytes = bytes
    }

    /// The replacements of the rules that `text` begins with at `index`, shortest rule first.
    private func matches(_ text: [UInt8], _ range: Range<Int>) -> [(length: Int, replacement: Int)] {
        func offset(_ unit: UInt32) -> Int { Int((unit >> 10) << ((unit & 0x200) >> 6)) }
        var found: [(Int, Int)] = []
        guard let root = units.first else { return found }
        var node = offset(root)
        for index in range {
            let byte = text[index]
            node ^= Int(byte)
            guard node < units.count else { break }
            let unit = units[node]
            guard unit & 0x8000_00FF == UInt32(byte) else { break }
            node ^= offset(unit)
            if unit >> 8 & 1 == 1 {
                guard node < units.count else { break }
                found.append((index + 1 - range.lowerBound, Int(units[node] & 0x7FFF_FFFF)))
            }
        }
        return found
    }

    private func replacement(_ start: Int) -> ArraySlice<UInt8> {
        guard start < replacements.count else { return [] }
        return replacements[start...].prefix { $0 != 0 }
    }

    /// The longest rule at the start of `range`: bytes it covers, and what they become. SentencePiece's way.
    func longest(_ text: [UInt8], _ range: Range<Int>) -> (length: Int, bytes: ArraySlice<UInt8>)? {
        guard let last = matches(text, range).last else { return nil }
        return (last.length, replacement(last.replacement))
    }

    /// The way of the `tokenizers` library: a short grapheme is looked up as a whole, with the shortest rule that it
    /// begins with standing for all of it; failing that, each of its characters.
    func normalizeByGrapheme(_ text: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(text.count)
        for grapheme in String(decoding: text, as: UTF8.self) {
            let bytes = Array(grapheme.utf8)
            if bytes.count < 6, let first = matches(bytes, 0..<bytes.count).first {
                result += replacement(first.replacement)
                continue
            }
            for scalar in grapheme.unicodeScalars {
                let bytes = Array(UTF8.encode(scalar)!)
                if let first = matches(bytes, 0..<bytes.count).first {
                    result += replacement(first.replacement)
                } else {
                    result += bytes
                }
            }
        }
        return result
    }
}
