/// SentencePiece's byte-pair encoding: two neighbours merge when their text is a piece, the best score first
/// (`tokenizer.model` of type BPE, GGUF's "llama"). What stays unknown becomes its bytes.
struct ScoredPairModel: Sendable {
    /// Entry number = token id.
    var table: ByteTable
    /// Order of the score of each id, 0 the highest, equal scores equal; `UInt32.max`: never the result of a merge.
    var ranks: [UInt32]
    /// The ids of "<0x00>" … "<0xFF>"; -1: none.
    var byteIds: [Int32]
    var unknownId: Int32?
    /// Consecutive unknown characters are one unknown token, as SentencePiece has it.
    var fuseUnknown = true

    private struct Rule: MergeRule {
        let model: ScoredPairModel
        let text: [UInt8]
        func candidate(_ left: Int32, _ right: Int32, range: Range<Int>) -> UInt64 {
            let id = model.table.find(text.span, range)
            guard id >= 0, model.ranks[id] != .max else { return .max }
            return UInt64(model.ranks[id]) << 32 | UInt64(id)
        }
    }

    static func ranks(scores: [Float], mergeable: (Int) -> Bool) -> [UInt32] {
        let order = (0..<scores.count).filter(mergeable).sorted { scores[$0] > scores[$1] }
        var ranks = [UInt32](repeating: .max, count: scores.count)
        var rank: UInt32 = 0
        for (place, id) in order.enumerated() {
            if place > 0, scores[order[place - 1]] != scores[id] { rank += 1 }
            ranks[id] = rank
        }
        return ranks
    }

    func encode(_ text: [UInt8], _ range: Range<Int>, _ scratch: inout ModelScratch, to output: inout [Int]) {
        scratch.merger.reset(start: range.lowerBound)
        var index = range.lowerBound
        while index < range.upperBound {
            let end = min(index + UTF8Text.length(lead: text[index]), range.upperBound)
            scratch.merger.append(Int32(truncatingIfNeeded: table.find(text.span, index..<end)), end: end)
            index = end
        }
        scratch.merger.merge(Rule(model: self, text: text))
        var unknownBefore = false
        for (place, id) in scratch.merger.ids.enumerated() {
            if id >= 0 {
                output.append(Int(id))
                unknownBefore = false
                continue
            }
            let bytes = text[scratch.merger.starts[place]..<scratch.merger.starts[place + 1]]
            if bytes.allSatisfy({ byteIds[Int($0)] >= 0 }) {
                for byte in bytes { output.append(Int(byteIds[Int(byte)])) }
                unknownBefore = false
            } else if let unknownId {
                if !(unknownBefore && fuseUnknown) { output.append(Int(unknownId)) }
                unknownBefore = true
            }
        }
    }
}
