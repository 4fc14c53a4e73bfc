import ModelGraph

/// How a memory budget is shared out: what must be there, then decoded base weights, then rows.
struct MemoryPlan: Equatable {
    /// Tokens of a sequence that get masks.
    var positions: Int
    /// Bytes for decoded weights of the base model; the rest is decoded at each use.
    var residentBudget: Int
    var logitBytes: Int

    /// - Parameters:
    ///   - workers: sequences in work at once.
    ///   - weightBytes: the base model's weights as float32.
    init(
        budget: Int, configuration c: ModelConfiguration, layout: ParameterLayout, options: TuningOptions,
        workers: Int, weightBytes: Int
    ) throws {
        let wide = c.headCount * c.headSize
        let narrow = c.keyValueHeadCount * c.headSize
        // Floats kept for a mask row by the layers, then those of the pass that are used in turn.
        let kept = c.layers.count * (7 * c.hiddenSize + 3 * wide + 3 * narrow + 2 * c.feedForwardSize + 8 * 32)
        let shared = 14 * c.hiddenSize + 2 * wide + 2 * narrow + 2 * c.feedForwardSize
        let perBlock = 4 * layout.maskCount * (kept + shared)
        let ordinary =
            4 * options.window * (2 * c.layers.count * narrow + 4 * c.hiddenSize + 2 * wide + 2 * c.feedForwardSize)
        logitBytes = min(16 << 20, max(32 * c.vocabularySize, 4 << 20))
        // Parameters, two moments, the best so far, the sum of gradients, and a gradient for each worker.
        let fixed = 4 * layout.count * (5 + workers) + workers * (ordinary + logitBytes + 8 << 20)
        let needed = fixed + workers * perBlock
        guard needed <= budget else { throw TuningError.memory(budget: budget, needed: needed) }
        let left = budget - fixed
        // Decoding weights again and again costs more than fewer rows a pass, until rows are few.
        let few = workers * perBlock * min(options.positions, 16)
        residentBudget = max(0, min(weightBytes, left - few))
        positions = max(1, min(options.positions, (left - residentBudget) / (workers * perBlock)))
    }
}
