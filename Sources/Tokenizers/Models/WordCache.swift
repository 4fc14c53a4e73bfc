/// Remembers the tokens of short words. Language repeats itself: nineteen words of twenty have been met before.
///
/// A word of at most 15 bytes is two machine words, its length included, and is compared in two instructions. Each
/// set of the table has one place; a newer word replaces an older one. Kept between calls, never shared by threads.
struct WordCache {
    static let longestWord = 15
    static let mostTokens = 4

    private struct Entry {
        var low: UInt64 = 0
        /// The length is the highest byte, so no word is all zeros.
        var high: UInt64 = 0
        var ids = SIMD4<Int32>(repeating: 0)
        var count: Int32 = 0
    }

    private var entries: [Entry]
    private let shift: UInt64

    init(bits: Int = 15) {
        entries = Array(repeating: Entry(), count: 1 << bits)
        shift = UInt64(64 - bits)
    }

    struct Key {
        var low: UInt64
        var high: UInt64
    }

    /// `range` has 1 to 15 bytes.
    @inline(__always)
    static func key(_ text: borrowing Span<UInt8>, _ range: Range<Int>) -> Key {
        var low: UInt64 = 0
        var high: UInt64 = 0
        let count = range.count
        for index in 0..<min(8, count) { low |= UInt64(text[range.lowerBound + index]) << UInt64(8 * index) }
        if count > 8 {
            for index in 8..<count { high |= UInt64(text[range.lowerBound + index]) << UInt64(8 * (index - 8)) }
        }
        return Key(low: low, high: high | UInt64(count) << 56)
    }

    @inline(__always)
    private func place(_ key: Key) -> Int {
        Int(truncatingIfNeeded: ByteTable.mix(key.low ^ key.high &* 0x9E37_79B9_7F4A_7C15) >> shift)
    }

    /// Appends the word's tokens and returns true when it is known.
    @inline(__always)
    func append(_ key: Key, to output: inout [Int]) -> Bool {
        let place = place(key)
        guard entries[place].high == key.high, entries[place].low == key.low else { return false }
        let count = Int(entries[place].count)
        output.append(Int(entries[place].ids[0]))
        if count > 1 {
            for index in 1..<count { output.append(Int(entries[place].ids[index])) }
        }
        return true
    }

    /// Notes a word that has 1 to 4 tokens; others are not kept.
    mutating func insert(_ key: Key, _ tokens: ArraySlice<Int>) {
        guard (1...Self.mostTokens).contains(tokens.count) else { return }
        var entry = Entry(low: key.low, high: key.high, count: Int32(tokens.count))
        for (index, id) in tokens.enumerated() { entry.ids[index] = Int32(truncatingIfNeeded: id) }
        entries[place(key)] = entry
    }
}
