/// A sequence of ordinary tokens with blocks of masks hung on some of them (design of the method, section 2).
///
/// The block at anchor p holds m_1 … m_depth at positions p + 1 … p + depth; m_j predicts the token at p + j + 1.
struct MixedSequence: Equatable, Sendable {
    struct Block: Equatable, Sendable {
        var anchor: Int
        var depth: Int
        /// Its first row among all mask rows.
        var firstRow: Int
    }

    let tokens: [Int32]
    let blocks: [Block]
    /// One entry for each mask row, in the order of the blocks.
    private(set) var positions: [Int32] = []
    /// j of m_j, from 1.
    private(set) var offsets: [Int] = []
    private(set) var labels: [Int32] = []
    /// The true token before the one that the row predicts.
    private(set) var previous: [Int32] = []

    /// - Parameter anchors: positions after which masks go, ascending; those too near the end get fewer masks, or none.
    init(tokens: [Int32], anchors: [Int], masks: Int) {
        self.tokens = tokens
        var blocks: [Block] = []
        for anchor in anchors {
            let depth = min(masks, tokens.count - anchor - 2)
            guard depth > 0 else { continue }
            blocks.append(Block(anchor: anchor, depth: depth, firstRow: positions.count))
            for offset in 1...depth {
                positions.append(Int32(anchor + offset))
                offsets.append(offset)
                labels.append(tokens[anchor + offset + 1])
                previous.append(tokens[anchor + offset])
            }
        }
        self.blocks = blocks
    }

    var rowCount: Int { positions.count }

    /// How many positions have at least one mask row that predicts the token after them.
    var latentCount: Int { Set(positions).count }
}
