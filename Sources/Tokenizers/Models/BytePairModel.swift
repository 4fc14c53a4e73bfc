/// Byte-pair encoding by a list of merges (tokenizer.json's "BPE", GGUF's "gpt2").
///
/// Symbols are bytes (`byteLevel`, the vocabulary then holds raw bytes) or characters. Source: Sennrich, Haddow and
/// Birch 2016, as the `tokenizers` library and llama.cpp do it.
struct BytePairModel: Sendable {
    /// Entry number = token id.
    var table: ByteTable
    var merges: MergeTable
    var byteLevel: Bool
    /// The ids of single bytes: of the byte itself when `byteLevel`, else of "<0x0A>" and so on; -1: none.
    var byteIds: [Int32]
    /// A character that no token covers becomes its bytes when all of them have tokens.
    var byteFallback = false
    var unknownId: Int32?
    var fuseUnknown = false
    /// A word that is a token is that token, whatever the merges say.
    var ignoreMerges = false
    var continuingPrefix: [UInt8] = []
    var endSuffix: [UInt8] = []
    /// Tokens of a byte-level vocabulary whose text is not written in the byte alphabet; no text ever gives them.
    var literals: [String: Int] = [:]

    var literalIds: Set<Int> = []

    private struct Rule: MergeRule {
        let merges: MergeTable
        @inline(__always)
        func candidate(_ left: Int32, _ right: Int32, range: Range<Int>) -> UInt64 { merges.find(left, right) }
    }

    /// Appends the tokens of the word `text[range]`.
    func encode(_ text: [UInt8], _ range: Range<Int>, _ scratch: inout ModelScratch, to output: inout [Int]) {
        guard !range.isEmpty else { return }
        if ignoreMerges {
            let id = table.find(text.span, range)
            if id >= 0 {
                output.append(id)
                return
            }
        }
        scratch.merger.reset(start: range.lowerBound)
        if byteLevel {
            appendBytes(text, range, &scratch.merger)
        } else {
            appendCharacters(text, range, &scratch.merger)
        }
        scratch.merger.merge(Rule(merges: merges))
        for id in scratch.merger.ids where id >= 0 { output.append(Int(id)) }
    }

    private func appendBytes(_ text: [UInt8], _ range: Range<Int>, _ merger: inout SymbolMerger) {
        for index in range {
            let id = byteIds[Int(text[index])]
            if id >= 0 {
                merger.append(id, end: index + 1)
            } else if let unknownId {
                merger.append(unknownId, end: index + 1)
            }
        }
    }

    private func appendCharacters(_ text: [UInt8], _ range: Range<Int>, _ merger: inout SymbolMerger) {
        var index = range.lowerBound
        var pendingUnknown: Int?
        while index < range.upperBound {
            let end = min(index + UTF8Text.length(lead: text[index]), range.upperBound)
            let id = Int32(
                truncatingIfNeeded: find(
                    text, index..<end, first: index == range.lowerBound, last: end == range.upperBound))
            if id >= 0 {
                if let unknownEnd = pendingUnknown { merger.append(unknownId ?? -1, end: unknownEnd) }
                pendingUnknown = nil
                merger.append(id, end: end)
            } else if byteFallback, text[index..<end].allSatisfy({ byteIds[Int($0)] >= 0 }) {
                for place in index..<end { merger.append(byteIds[Int(text[place])], end: place + 1) }
            } else if let unknownId {
                if let unknownEnd = pendingUnknown, !fuseUnknown { merger.append(unknownId, end: unknownEnd) }
                pendingUnknown = end
            }
            index = end
        }
        if let unknownEnd = pendingUnknown { merger.append(unknownId ?? -1, end: unknownEnd) }
    }

    private func find(_ text: [UInt8], _ range: Range<Int>, first: Bool, last: Bool) -> Int {
        guard !(continuingPrefix.isEmpty || first) || !(endSuffix.isEmpty || !last) else {
            return table.find(text.span, range)
        }
        var bytes = first ? [] : continuingPrefix
        bytes += text[range]
        if last { bytes += endSuffix }
        return table.find(bytes)
    }
}
