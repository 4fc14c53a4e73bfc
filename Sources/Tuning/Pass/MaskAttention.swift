import ModelGraph

/// Attention of mask rows: each sees the ordinary rows up to its block's anchor and the masks of its own block up to
/// itself, within the layer's window.
///
/// Rows of several blocks go through the products with the prefix together; probabilities are not kept but computed
/// again on the way back, so that memory grows with rows and not with rows times prefix.
final class MaskAttention {
    private struct Chunk {
        var rows: Range<Int>
        /// Ordinary rows that some row of the chunk sees.
        var prefix: Range<Int>
        var seen: [AttentionKernels.Row]
    }

    private let configuration: ModelConfiguration
    private let window: Int?
    private var chunks: [Chunk] = []
    private var deepest = 1
    private let shared: Shared
    private static let chunkRows = 64

    final class Shared {
        let scores = Matrix(), slopes = Matrix(), own = Matrix(), ownSlopes = Matrix()
        let scoreGradients = Matrix(), ownGradients = Matrix()
    }

    init(configuration: ModelConfiguration, window: Int?, shared: Shared) {
        self.configuration = configuration
        self.window = window
        self.shared = shared
    }

    /// Must be called for each new sequence.
    func prepare(_ sequence: MixedSequence) {
        chunks = []
        deepest = max(1, sequence.blocks.map(\.depth).max() ?? 1)
        var pending: [MixedSequence.Block] = []
        func flush() {
            guard let first = pending.first, let last = pending.last else { return }
            let window = self.window ?? Int.max / 2
            let start = max(0, first.anchor + 1 - window + 1)
            let prefix = min(start, last.anchor + 1)..<last.anchor + 1
            var seen: [AttentionKernels.Row] = []
            for block in pending {
                for offset in 1...block.depth {
                    let oldest = max(0, block.anchor + offset - window + 1)
                    let oldestOwn = max(1, offset - window + 1)
                    let end = block.anchor + 1 - prefix.lowerBound
                    seen.append(
                        AttentionKernels.row(
                            first: min(end, max(0, oldest - prefix.lowerBound)), last: end,
                            ownStart: block.firstRow + oldestOwn - 1, ownCount: offset - oldestOwn + 1))
                }
            }
            chunks.append(Chunk(rows: first.firstRow..<last.firstRow + last.depth, prefix: prefix, seen: seen))
            pending = []
        }
        for block in sequence.blocks {
            pending.append(block)
            if block.firstRow + block.depth - pending[0].firstRow >= Self.chunkRows { flush() }
        }
        flush()
    }

    private func forEachHead(
        _ body: (Chunk, AttentionKernels, _ head: Range<Int>, _ shared: Range<Int>) -> Void
    ) {
        let c = configuration
        let group = c.headCount / c.keyValueHeadCount
        for chunk in chunks {
            let kernels = AttentionKernels(
                rows: chunk.seen, headSize: c.headSize, scale: Float(c.attentionScale),
                cap: Float(c.attentionSoftCap ?? 0))
            shared.scores.reshape(chunk.rows.count, chunk.prefix.count)
            shared.own.reshape(chunk.rows.count, deepest)
            if c.attentionSoftCap != nil {
                shared.slopes.reshape(chunk.rows.count, chunk.prefix.count)
                shared.ownSlopes.reshape(chunk.rows.count, deepest)
            }
            for head in 0..<c.headCount {
                body(
                    chunk, kernels, head * c.headSize..<(head + 1) * c.headSize,
                    head / group * c.headSize..<(head / group + 1) * c.headSize)
            }
        }
    }

    private var slopes: (prefix: MatrixView, own: MatrixView)? {
        configuration.attentionSoftCap == nil ? nil : (shared.slopes.view, shared.ownSlopes.view)
    }

    struct Inputs {
        /// Of the mask rows.
        var queries: Matrix
        var keys: Matrix
        var values: Matrix
        /// Of the ordinary rows.
        var prefixKeys: Matrix
        var prefixValues: Matrix
    }

    func forward(_ inputs: Inputs, into output: Matrix) {
        forEachHead { chunk, kernels, head, group in
            let queries = inputs.queries.view(rows: chunk.rows, columns: head)
            probabilities(inputs, chunk, kernels, queries, group)
            let result = output.view(rows: chunk.rows, columns: head)
            Product.multiply(
                shared.scores.view, inputs.prefixValues.view(rows: chunk.prefix, columns: group), into: result)
            kernels.addOwn(shared.own.view, inputs.values.view.view(columns: group), to: result)
        }
    }

    private func probabilities(
        _ inputs: Inputs, _ chunk: Chunk, _ kernels: AttentionKernels, _ queries: MatrixView, _ group: Range<Int>
    ) {
        Product.multiply(
            queries, inputs.prefixKeys.view(rows: chunk.prefix, columns: group),
            into: shared.scores.view, transposing: .second)
        kernels.probabilities(
            shared.scores.view, own: shared.own.view, slopes: slopes, queries: queries,
            keys: inputs.keys.view.view(columns: group))
    }

    struct Gradients {
        var queries: Matrix
        var keys: Matrix
        var values: Matrix
    }

    /// - Parameters:
    ///   - output: what `forward` gave.
    ///   - gradients: of the mask rows, overwritten; ordinary rows need none.
    func backward(_ inputs: Inputs, output: Matrix, outputGradient: Matrix, into gradients: Gradients) {
        gradients.keys.fill(0)
        gradients.values.fill(0)
        forEachHead { chunk, kernels, head, group in
            let queries = inputs.queries.view(rows: chunk.rows, columns: head)
            probabilities(inputs, chunk, kernels, queries, group)
            shared.scoreGradients.reshape(chunk.rows.count, chunk.prefix.count)
            shared.ownGradients.reshape(chunk.rows.count, deepest)
            let dy = outputGradient.view(rows: chunk.rows, columns: head)
            Product.multiply(
                dy, inputs.prefixValues.view(rows: chunk.prefix, columns: group),
                into: shared.scoreGradients.view, transposing: .second)
            kernels.scoresBackward(
                probabilities: shared.scores.view, own: shared.own.view, slopes: slopes,
                output: output.view(rows: chunk.rows, columns: head), queries: queries,
                values: inputs.values.view.view(columns: group),
                gradients: AttentionKernels.Gradients(
                    scores: shared.scoreGradients.view, own: shared.ownGradients.view,
                    keys: gradients.keys.view.view(columns: group),
                    values: gradients.values.view.view(columns: group), output: dy))
            let dq = gradients.queries.view(rows: chunk.rows, columns: head)
            Product.multiply(
                shared.scoreGradients.view, inputs.prefixKeys.view(rows: chunk.prefix, columns: group), into: dq)
            kernels.addOwn(shared.ownGradients.view, inputs.keys.view.view(columns: group), to: dq)
        }
    }
}
