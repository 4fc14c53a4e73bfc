import Foundation
import Kernels
import ModelGraph

/// One pass over a tree of rows: the transformer, read top to bottom.
///
/// Buffers hold rows by place: ordinary rows first, then masks. Only matrix products and attention mix memory of
/// several rows, and both give each row what it would get alone.
struct ForwardPass {
    let sequence: TokenSequence
    let tree: RowTree
    let observer: (any ForwardObserver)?

    private let model: Transformer
    private let c: ModelConfiguration
    private let w: Workspace
    private let kernels: RowKernels
    private let pool: WorkerPool
    private let epsilon: Float
    private let paths: KeyValueStore.Paths
    private let settled: Int

    init(sequence: TokenSequence, tree: RowTree, observer: (any ForwardObserver)?) {
        self.sequence = sequence
        self.tree = tree
        self.observer = observer
        model = sequence.model
        c = model.configuration
        w = sequence.workspace
        kernels = model.rows
        pool = model.pool
        epsilon = Float(c.normEpsilon)
        paths = tree.storePaths
        settled = sequence.count
    }

    /// - Parameter checking: looks for numbers that are none after every half of a block.
    func run(checking: Bool = false) throws {
        let started = ContinuousClock.now
        var attention = Duration.zero
        try embed()
        fillAngles()
        observe(after: nil)
        if checking { try checkHidden(nil, "embedding") }
        for (index, block) in model.blocks.enumerated() {
            try project(block, index)
            let before = ContinuousClock.now
            attend(index)
            attention += before.duration(to: .now)
            try addAttention(block, index)
            if checking { try checkHidden(index, "attention") }
            try addFeedForward(block, index)
            if checking { try checkHidden(index, "feed-forward") }
            observe(after: index)
        }
        try finish(checking: checking)
        sequence.times.attention += attention
        sequence.times.layers += started.duration(to: .now) - attention
    }

    private var count: Int { tree.count }

    /// Calls `body` for each row by place, on several threads when a row's `width` makes that worth it.
    private func eachRow(_ width: Int, _ body: @Sendable (Int) -> Void) {
        guard count > 1, count * width > 32_768 else {
            for place in 0..<count { body(place) }
            return
        }
        let count = count
        let runs = min(count, 4 * pool.threads)
        pool.run(runs) { run in
            for place in count * run / runs..<count * (run + 1) / runs { body(place) }
        }
    }

    // MARK: Before the blocks

    private func embed() throws {
        let width = c.hiddenSize
        for (index, row) in tree.rows.enumerated() {
            let start = tree.places[index] * width
            switch row.input {
            case .token(let token): try model.embed(token, into: w.hidden, at: start)
            case .mask(let mask): sequence.adaptation?.embed(mask: mask, into: w.hidden, at: start)
            }
            if c.embeddingScale != 1 {
                kernels.scale(w.hidden, at: start, count: width, by: Float(c.embeddingScale))
            }
        }
    }

    private func fillAngles() {
        for (index, rotary) in sequence.rotaries.enumerated() {
            let (cosines, sines) = (w.cosines[index], w.sines[index])
            let pairs = rotary.perPosition.count
            for place in 0..<count {
                let position = Float(settled + tree.depths[place] - 1)
                for (pair, frequency) in rotary.perPosition.enumerated() {
                    let angle = Double(position * frequency)
                    cosines[place * pairs + pair] = Float(cos(angle)) * rotary.magnitude
                    sines[place * pairs + pair] = Float(sin(angle)) * rotary.magnitude
                }
            }
        }
    }

    // MARK: Attention

    /// The rows that a half of a block reads: normed, or the stream itself.
    private func normed(by weight: FloatBuffer?) -> FloatBuffer {
        guard let weight else { return w.hidden }
        let (hidden, normed, width) = (w.hidden, w.normed, c.hiddenSize)
        let (kernels, epsilon) = (kernels, epsilon)
        eachRow(width) { place in
            kernels.rmsNorm(
                hidden, at: place * width, count: width, weight: weight, epsilon: epsilon, into: normed,
                at: place * width)
        }
        return normed
    }

    /// Queries, keys and values of all rows; keys and values go to the cache.
    private func project(_ block: Transformer.Block, _ index: Int) throws {
        let input = normed(by: block.attentionNorm)
        try multiply(
            [(block.query, w.queries), (block.key, w.keys), (block.value, w.values)], input: input,
            activations: w.fromHidden, block: index)
        let (queries, keys, values, kernels, epsilon) = (w.queries, w.keys, w.values, kernels, epsilon)
        let (size, heads, shared) = (c.headSize, c.headCount, c.keyValueHeadCount)
        let (queryWidth, keyWidth) = (heads * size, shared * size)
        let norm = c.queryKeyNorm
        let interleaved = c.rotaryOrder == .interleaved
        let angles = c.layers[index].rotary.map {
            (w.cosines[$0], w.sines[$0], sequence.rotaries[$0].perPosition.count)
        }
        let (cache, settled) = (sequence.cache, settled)
        eachRow(queryWidth) { place in
            let (query, key) = (place * queryWidth, place * keyWidth)
            if let queryNorm = block.queryNorm, let keyNorm = block.keyNorm {
                let whole = norm == .fullWidth
                kernels.rmsNormHeads(
                    queries, at: query, heads: whole ? 1 : heads, size: whole ? queryWidth : size,
                    weight: queryNorm, epsilon: epsilon)
                kernels.rmsNormHeads(
                    keys, at: key, heads: whole ? 1 : shared, size: whole ? keyWidth : size, weight: keyNorm,
                    epsilon: epsilon)
            }
            if let (cosines, sines, pairs) = angles {
                kernels.rotate(
                    queries, at: query, heads: heads, size: size, cosine: cosines, sine: sines, at: place * pairs,
                    pairs: pairs, interleaved: interleaved)
                kernels.rotate(
                    keys, at: key, heads: shared, size: size, cosine: cosines, sine: sines, at: place * pairs,
                    pairs: pairs, interleaved: interleaved)
            }
            cache.write(
                block: index, slot: settled + place, keys: keys, at: key, values: values, at: place * keyWidth)
        }
    }

    private func attend(_ index: Int) {
        sequence.cache.attend(
            block: index, heads: c.headCount, settled: settled, paths: paths,
            scores: .init(
                scale: Float(c.attentionScale), cap: Float(c.attentionSoftCap ?? 0),
                window: c.layers[index].slidingWindow ?? 0),
            queries: w.queries, stride: c.headCount * c.headSize, into: w.attended,
            outStride: c.headCount * c.headSize, pool: pool)
    }

    private func addAttention(_ block: Transformer.Block, _ index: Int) throws {
        try multiply(
            [(block.attentionOutput, w.added)], input: w.attended, activations: w.fromAttended, block: index)
        addToStream(norm: block.postAttentionNorm)
    }

    // MARK: Feed-forward

    private func addFeedForward(_ block: Transformer.Block, _ index: Int) throws {
        let input = normed(by: block.feedForwardNorm)
        try multiply(
            [(block.gate, w.gate), (block.up, w.up)], input: input, activations: w.fromHidden, block: index)
        let (gate, up, inner, kernels, activation) = (w.gate, w.up, c.feedForwardSize, kernels, c.activation)
        eachRow(4 * inner) { place in
            switch activation {
            case .silu: kernels.siluMultiply(gate, at: place * inner, by: up, at: place * inner, count: inner)
            case .geluTanh: kernels.geluMultiply(gate, at: place * inner, by: up, at: place * inner, count: inner)
            }
        }
        try multiply([(block.down, w.added)], input: w.gate, activations: w.fromInner, block: index)
        addToStream(norm: block.postFeedForwardNorm)
    }

    /// hidden += residual scale · norm(added)
    private func addToStream(norm weight: FloatBuffer?) {
        let (hidden, added, width, kernels, epsilon) = (w.hidden, w.added, c.hiddenSize, kernels, epsilon)
        let scale = Float(c.residualScale)
        eachRow(width) { place in
            let start = place * width
            if let weight {
                kernels.rmsNorm(
                    added, at: start, count: width, weight: weight, epsilon: epsilon, into: added, at: start)
            }
            kernels.add(added, at: start, scale: scale, to: hidden, at: start, count: width)
        }
    }

    // MARK: Linear maps

    /// Outputs of maps that share their input: W x + bias, and on mask rows the graft's update.
    private func multiply(
        _ maps: [(linear: Transformer.Linear, output: FloatBuffer)], input: FloatBuffer, activations: Activations,
        block: Int
    ) throws {
        if let observer {
            observer.input(
                of: maps.map(\.linear.part), block: block, rows(of: input, width: activations.columns))
        }
        activations.load(input, rows: count)
        if maps.count == 1 {
            try maps[0].linear.matrix.multiply(activations, into: maps[0].output)
        } else {
            try WeightMatrix.multiply(maps.map { Product($0.linear.matrix, into: $0.output) }, activations)
        }
        for (linear, output) in maps {
            guard let bias = linear.bias else { continue }
            let kernels = kernels
            eachRow(bias.count) { place in
                kernels.add(bias, at: 0, to: output, at: place * bias.count, count: bias.count)
            }
        }
        if tree.maskCount > 0, let adaptation = sequence.adaptation, let work = sequence.maskWorkspace {
            let updates = maps.compactMap { map in
                adaptation.update(map.linear.part, block: block).map { (update: $0, output: map.output) }
            }
            try work.add(
                updates, input: input, width: activations.columns, first: tree.ordinaryCount, count: tree.maskCount,
                kernels: kernels)
        }
    }

    // MARK: After the blocks

    private func finish(checking: Bool) throws {
        let (hidden, final, width, kernels, epsilon) = (w.hidden, w.final, c.hiddenSize, kernels, epsilon)
        let weight = model.outputNorm
        eachRow(width) { place in
            kernels.rmsNorm(
                hidden, at: place * width, count: width, weight: weight, epsilon: epsilon, into: final,
                at: place * width)
        }
        if let observer { observer.input(of: [.output], block: nil, rows(of: final, width: width)) }
        guard !kernels.allFinite(final, at: 0, count: count * width) else { return }
        if checking { throw RuntimeError.notFinite(block: nil, part: "final norm") }
        // The same rows once more, looking after each part: what is found names the block.
        try ForwardPass(sequence: sequence, tree: tree, observer: nil).run(checking: true)
        throw RuntimeError.notFinite(block: nil, part: "final norm")
    }

    private func checkHidden(_ block: Int?, _ part: String) throws {
        guard kernels.allFinite(w.hidden, at: 0, count: count * c.hiddenSize) else {
            throw RuntimeError.notFinite(block: block, part: part)
        }
    }

    private func rows(of buffer: FloatBuffer, width: Int) -> BufferRows {
        BufferRows(buffer: buffer, offset: 0, count: count, width: width, stride: width)
    }

    private func observe(after block: Int?) {
        observer?.hidden(after: block, rows(of: w.hidden, width: c.hiddenSize))
    }
}
