/// Words of a text whose spaces are written as marks ("▁"): each begins with its marks.
enum MarkedWords {
    /// Calls `body` with each word. A word ends where a mark follows something else than a mark.
    @inline(__always)
    static func forEach(in text: [UInt8], _ body: (Range<Int>) -> Void) {
        var start = 0
        var index = 0
        var afterMark = true
        while index < text.count {
            if isMark(text, index) {
                if !afterMark {
                    body(start..<index)
                    start = index
                }
                afterMark = true
                index += 3
            } else {
                afterMark = false
                index += 1
            }
        }
        if start < text.count { body(start..<text.count) }
    }

    @inline(__always)
    static func isMark(_ text: [UInt8], _ index: Int) -> Bool {
        text[index] == 0xE2 && index + 2 < text.count && text[index + 1] == 0x96 && text[index + 2] == 0x81
    }
}

extension TokenModel {
    /// Whether words cut at marks give the tokens of the whole text: nothing in the vocabulary has a mark behind
    /// something else, so that no merge reaches across, and the mark itself is known.
    var isIndependentAcrossMarks: Bool {
        let table: ByteTable
        switch self {
        case .bytePair(let model):
            guard !model.byteLevel, model.continuingPrefix.isEmpty, model.endSuffix.isEmpty, !model.ignoreMerges
            else { return false }
            table = model.table
        case .scoredPair(let model): table = model.table
        case .unigram: return false
        }
        guard table.find(SentencePieceNormalizer.mark) >= 0 else { return false }
        for entry in 0..<table.count {
            let bytes = Array(table.bytes(of: entry))
            var words = 0
            MarkedWords.forEach(in: bytes) { _ in words += 1 }
            if words > 1 { return false }
        }
        return true
    }
}
