/// Drafts from the text itself: where the last few tokens have occurred before, what followed them then.
///
/// Costs a few dictionary entries for each token and no arithmetic. Source: Saxena, "Prompt Lookup Decoding" (2023).
package struct PromptLookup {
    package struct Match: Hashable {
        /// How many tokens agree.
        package var length: Int
        /// What followed the earlier occurrence.
        package var continuation: [Int]

        package init(length: Int, continuation: [Int]) {
            self.length = length
            self.continuation = continuation
        }
    }

    private struct Key: Hashable {
        var length: Int
        var hash: UInt64
    }

    package let lengths: ClosedRange<Int>
    package private(set) var tokens: [Int] = []
    /// The position after the latest occurrence of a run, by the run's length and hash.
    private var ends: [Key: Int] = [:]

    package init(lengths: ClosedRange<Int> = 2...4) {
        precondition(lengths.lowerBound >= 1, "a run has a token at least")
        self.lengths = lengths
    }

    package mutating func append(_ token: Int) {
        // Runs that end before this token are entered now that something follows them.
        for length in lengths where tokens.count >= length {
            ends[Key(length: length, hash: Self.hash(tokens.suffix(length)))] = tokens.count
        }
        tokens.append(token)
    }

    package mutating func append(contentsOf more: some Sequence<Int>) {
        for token in more { append(token) }
    }

    /// The longest run at the end of the text followed by `pending` that has occurred in the text before, with at
    /// most `limit` tokens of what came next.
    package func match(pending: [Int] = [], limit: Int) -> Match? {
        guard limit > 0 else { return nil }
        let needed = max(0, lengths.upperBound - pending.count)
        let end = tokens.suffix(needed) + pending
        for length in lengths.reversed() where end.count >= length {
            let run = end.suffix(length)
            guard let after = ends[Key(length: length, hash: Self.hash(run))],
                tokens[(after - length)..<after].elementsEqual(run)
            else { continue }
            return Match(length: length, continuation: Array(tokens[after..<min(tokens.count, after + limit)]))
        }
        return nil
    }

    private static func hash(_ run: some Sequence<Int>) -> UInt64 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for token in run { hash = (hash ^ UInt64(truncatingIfNeeded: token)) &* 0x9E37_79B9_7F4A_7C15 }
        return hash ^ (hash >> 29)
    }
}
