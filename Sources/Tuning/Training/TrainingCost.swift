import ModelGraph

/// Multiply-adds that the method needs, whatever our implementation does beside them.
///
/// For a sequence of n ordinary and m mask rows: every linear of every layer once for an ordinary row and twice for
/// a mask row (forward, and back to its input); attention's products with each key and each value that a row sees,
/// twice on the way back of a mask row; low-rank factors three times (forward, input, weight); the sampler's three
/// matrices three times less the embedding's input gradient; the unembedding, for each of the two cross-entropies,
/// twice. No gradient is needed into ordinary rows.
struct TrainingCost {
    private let linears: Int
    private let adapters: Int
    private let attention: Int
    private let layers: Int
    private let hidden: Int
    private let unembedding: Int
    private let windows: [Int?]
    private let weights: LossWeights

    init(configuration c: ModelConfiguration, layout: ParameterLayout, weights: LossWeights) {
        linears = FrozenModel.linears.reduce(0) { sum, part in
            let shape = Graft.shape(of: part, in: c)
            return sum + (shape?.rows ?? 0) * (shape?.columns ?? 0)
        }
        adapters = layout.layers.joined().reduce(0) { sum, group in
            sum + group.adapters.values.reduce(0) { $0 + $1.a.count + $1.b.count }
        }
        attention = c.headCount * c.headSize
        layers = c.layers.count
        hidden = c.hiddenSize
        unembedding = c.vocabularySize * c.hiddenSize
        windows = c.layers.map(\.slidingWindow)
        self.weights = weights
    }

    func multiplyAdds(_ sequence: MixedSequence) -> Int {
        let n = sequence.tokens.count
        let m = sequence.rowCount
        var pairs = 0  // (row, key) of ordinary rows
        var maskPairs = 0
        for window in windows {
            let window = window ?? n
            pairs += (0..<n).reduce(0) { $0 + min($1 + 1, window) }
            for block in sequence.blocks {
                for offset in 1...block.depth { maskPairs += min(block.anchor + 1 + offset, window) }
            }
        }
        let heads = (weights.base != 0 ? 2 : 0) + (weights.sampler != 0 ? 2 : 0)
        let sampler = weights.sampler != 0 ? 8 * hidden * hidden : 0
        let perMask = 2 * layers * linears + 3 * adapters + heads * unembedding + sampler
        return n * layers * linears + 2 * pairs * attention + m * perMask + 6 * maskPairs * attention
    }
}
