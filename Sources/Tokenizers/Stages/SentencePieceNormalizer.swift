/// What SentencePiece does before it cuts: its rules, then spaces.
struct SentencePieceNormalizer: Sendable {
    var map: CharactersMap?
    var addsDummyPrefix: Bool
    var removesExtraSpaces: Bool
    var escapesSpaces: Bool
    /// The space mark ends a word instead of beginning it.
    var spaceAsSuffix: Bool = false
    /// Symbols that pass as they are.
    var kept = TokenTrie()

    static let mark: [UInt8] = [0xE2, 0x96, 0x81]

    func normalize(_ text: [UInt8]) -> [UInt8] {
        let space = UInt8(ascii: " ")
        let mark = escapesSpaces ? Self.mark : [space]
        var result: [UInt8] = []
        result.reserveCapacity(text.count + text.count / 4)
        var index = 0
        var atStart = true
        var lastWasSpace = removesExtraSpaces
        while index < text.count {
            let (length, mapped) = step(text, index)
            index += length
            if atStart {
                // Leading spaces are dropped before the prefix is put there.
                if removesExtraSpaces, mapped.allSatisfy({ $0 == space }) { continue }
                if addsDummyPrefix, !spaceAsSuffix { result += mark }
                atStart = false
            }
            var bytes = mapped[...]
            while removesExtraSpaces, lastWasSpace, bytes.first == space { bytes = bytes.dropFirst() }
            for byte in bytes {
                if byte == space { result += mark } else { result.append(byte) }
            }
            if let last = bytes.last { lastWasSpace = removesExtraSpaces && last == space }
        }
        if removesExtraSpaces {
            while result.count >= mark.count, result.suffix(mark.count).elementsEqual(mark) {
                result.removeLast(mark.count)
            }
        }
        if spaceAsSuffix, addsDummyPrefix, !atStart { result += mark }
        return result
    }

    /// How many bytes the next rule covers, and what they become.
    private func step(_ text: [UInt8], _ index: Int) -> (Int, [UInt8]) {
        if let match = kept.longestMatch(text, at: index, end: text.count) {
            return (match.length, Array(text[index..<index + match.length]))
        }
        if let map, let found = map.longest(text, index..<text.count) { return (found.length, Array(found.bytes)) }
        let length = min(UTF8Text.length(lead: text[index]), text.count - index)
        return (length, Array(text[index..<index + length]))
    }
}
