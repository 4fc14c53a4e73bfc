/// Cuts a text at added tokens: leftmost first, of those the longest.
struct AddedTokenMatcher: Sendable {
    enum Part {
        case text(Range<Int>)
        case token(AddedToken)
    }

    private(set) var tokens: [AddedToken] = []
    private var trie = TokenTrie()

    var isEmpty: Bool { tokens.isEmpty }

    /// `form` is what is looked for in the text.
    mutating func insert(_ token: AddedToken, form: [UInt8]) {
        guard !form.isEmpty else { return }
        trie.insert(form, value: tokens.count)
        tokens.append(token)
    }

    func forEachPart(
        of text: [UInt8], range: Range<Int>, special: Bool,
        _ body: (Part) throws(TokenizerError) -> Void
    ) throws(TokenizerError) {
        var cut = range.lowerBound
        var index = range.lowerBound
        if !isEmpty {
            while index < range.upperBound {
                guard trie.canBegin(text[index]),
                    let match = trie.longestMatch(text, at: index, end: range.upperBound)
                else {
                    index += 1
                    continue
                }
                let token = tokens[match.value]
                var start = index
                var end = index + match.length
                index = end
                guard special || !token.isSpecial else { continue }
                if token.singleWord, touchesWord(text, start..<end, in: range) { continue }
                if token.stripsLeft {
                    while start > cut {
                        let before = UTF8Text.start(text, before: start)
                        guard before >= cut, isSpace(text, before) else { break }
                        start = before
                    }
                }
                if token.stripsRight {
                    while end < range.upperBound, isSpace(text, end) { end += UTF8Text.length(lead: text[end]) }
                }
                if cut < start { try body(.text(cut..<start)) }
                try body(.token(token))
                cut = end
                index = max(index, end)
            }
        }
        if cut < range.upperBound { try body(.text(cut..<range.upperBound)) }
    }

    private func isSpace(_ text: [UInt8], _ index: Int) -> Bool {
        UTF8Text.scalar(text, at: index)?.properties.isWhitespace ?? false
    }

    private func touchesWord(_ text: [UInt8], _ token: Range<Int>, in range: Range<Int>) -> Bool {
        if token.lowerBound > range.lowerBound,
            let before = UTF8Text.scalar(text, at: UTF8Text.start(text, before: token.lowerBound)),
            UTF8Text.isWord(before)
        {
            return true
        }
        guard token.upperBound < range.upperBound, let after = UTF8Text.scalar(text, at: token.upperBound)
        else { return false }
        return UTF8Text.isWord(after)
    }
}
