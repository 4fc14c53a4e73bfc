/// What is kept of each row of a reference's logits, and where it lies in the row's bytes: formats/reference-record.md.
package struct RecordShape: Sendable, Equatable {
    package let vocabulary: Int
    /// Likeliest tokens, kept by name.
    package let topCount: Int
    /// Draws from all other tokens, which stand for them.
    package let sampleCount: Int

    /// Log-probabilities are kept in steps of 1 / 2048 nat, 32 nats at most.
    static let levelsPerNat = 2048.0

    /// Fewer than this are kept of no vocabulary.
    private static let fewest = 92
    private static let most = 1024

    package init?(vocabulary: Int, topCount: Int, sampleCount: Int) {
        guard (1...1 << 24).contains(vocabulary), (1...vocabulary).contains(topCount),
            (0...vocabulary).contains(sampleCount), topCount == vocabulary || sampleCount > 0
        else { return nil }
        self.vocabulary = vocabulary
        self.topCount = topCount
        self.sampleCount = sampleCount
    }

    /// As many tokens as fit 1 / 22 of a row of 16-bit logits, within bounds; seven tenths of them the likeliest ones.
    package init(vocabulary: Int) {
        let entryBytes = Self.tokenBytes(vocabulary) + 2
        let entries = min(vocabulary, max(Self.fewest, min(Self.most, vocabulary / (11 * entryBytes))))
        self.vocabulary = vocabulary
        topCount = entries == vocabulary ? vocabulary : entries * 7 / 10
        sampleCount = entries - topCount
    }

    private static func tokenBytes(_ vocabulary: Int) -> Int { vocabulary <= 1 << 16 ? 2 : 4 }

    var tokenByteCount: Int { Self.tokenBytes(vocabulary) }
    var entryCount: Int { topCount + sampleCount }
    /// Loss and remainder, then the tokens, then their levels.
    var tokenStart: Int { 8 }
    var levelStart: Int { tokenStart + entryCount * tokenByteCount }
    package var rowByteCount: Int { levelStart + entryCount * 2 }
}
