/// From a word's text to token ids.
enum TokenModel: Sendable {
    case bytePair(BytePairModel)
    case scoredPair(ScoredPairModel)
    case unigram(UnigramModel)

    /// Text of each id as the model stores it: raw bytes in a byte-level vocabulary.
    var table: ByteTable {
        switch self {
        case .bytePair(let model): model.table
        case .scoredPair(let model): model.table
        case .unigram(let model): model.table
        }
    }

    func encode(_ text: [UInt8], _ range: Range<Int>, _ scratch: inout ModelScratch, to output: inout [Int]) {
        switch self {
        case .bytePair(let model): model.encode(text, range, &scratch, to: &output)
        case .scoredPair(let model): model.encode(text, range, &scratch, to: &output)
        case .unigram(let model): model.encode(text, range, &scratch, to: &output)
        }
    }

    /// A word goes through the cache only where a word's tokens depend on nothing but the word.
    @inline(__always)
    func encodeCached(_ text: [UInt8], _ range: Range<Int>, _ scratch: inout ModelScratch, to output: inout [Int]) {
        guard range.count <= WordCache.longestWord, !range.isEmpty else {
            encode(text, range, &scratch, to: &output)
            return
        }
        let key = WordCache.key(text.span, range)
        if scratch.cache.append(key, to: &output) { return }
        let before = output.count
        encode(text, range, &scratch, to: &output)
        scratch.cache.insert(key, output[before...])
    }
}

/// Working memory of one encoding, kept for the next.
struct ModelScratch {
    var merger = SymbolMerger()
    var cache = WordCache()
}
