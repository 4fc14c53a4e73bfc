import ModelGraph

/// The base model over the ordinary rows of a sequence. They never see masks and never touch the graft, so no
/// gradient goes through them: their keys, values and final rows are computed once and kept, nothing else.
final class OrdinaryPass {
    let model: FrozenModel
    let tables: [RotaryTable]
    /// After rotation, one for each layer: [n, key/value heads · head size].
    let keys: [Matrix]
    let values: [Matrix]
    /// After the final norm, [n, d].
    let hidden = Matrix()

    private let x = Matrix(), h = Matrix(), q = Matrix(), y = Matrix(), attended = Matrix(), gate = Matrix(),
        up = Matrix()
    private let reciprocal = Matrix(), scores = Matrix(), tile: Matrix, none = Matrix()
    private static let chunk = 64

    init(model: FrozenModel, tables: [RotaryTable], tile: Matrix) {
        self.model = model
        self.tables = tables
        self.tile = tile
        keys = model.layers.map { _ in Matrix() }
        values = model.layers.map { _ in Matrix() }
    }

    /// A whole sequence.
    func run(_ tokens: [Int32]) throws {
        try run(tokens, positions: (0..<tokens.count).map(Int32.init)) { index, queries, output in
            attend(
                queries, keys[index], values[index], window: model.configuration.layers[index].slidingWindow,
                into: output)
        }
    }

    /// Rows whose attention the caller computes: given the layer and its queries, with the rows' own keys and values
    /// in `keys` and `values`.
    func run(
        _ tokens: [Int32], positions: [Int32], attend: (_ layer: Int, _ queries: Matrix, _ output: Matrix) -> Void
    ) throws {
        let c = model.configuration
        let n = tokens.count
        x.reshape(n, c.hiddenSize)
        h.reshape(n, c.hiddenSize)
        y.reshape(n, c.hiddenSize)
        gate.reshape(n, c.feedForwardSize)
        up.reshape(n, c.feedForwardSize)
        attended.reshape(n, model.queryWidth)
        for (row, token) in tokens.enumerated() { try model.embedding.copyRow(Int(token), into: x.view.row(row)) }
        if c.embeddingScale != 1 { RowKernels.scale(x.view, by: Float(c.embeddingScale), into: x.view) }
        for (index, layer) in model.layers.enumerated() {
            q.reshape(n, model.queryWidth)
            keys[index].reshape(n, model.keyWidth)
            values[index].reshape(n, model.keyWidth)
            let input = normed(x, layer.norms[.attentionNorm])
            try linear(layer, .query, input, q)
            try linear(layer, .key, input, keys[index])
            try linear(layer, .value, input, values[index])
            normHeads(q, layer.norms[.queryNorm])
            normHeads(keys[index], layer.norms[.keyNorm])
            if let rotary = c.layers[index].rotary {
                for matrix in [q, keys[index]] {
                    RowKernels.rotate(
                        matrix.view, positions: positions, table: tables[rotary], headSize: c.headSize,
                        interleaved: c.rotaryOrder == .interleaved, forward: true)
                }
            }
            attend(index, q, attended)
            try linear(layer, .attentionOutput, attended.view, y)
            addHalf(layer.norms[.postAttentionNorm])
            let middle = normed(x, layer.norms[.feedForwardNorm])
            try linear(layer, .gate, middle, gate)
            try linear(layer, .up, middle, up)
            RowKernels.gated(gate: gate.view, up: up.view, into: gate.view, activation: model.activation)
            try linear(layer, .down, gate.view, y)
            addHalf(layer.norms[.postFeedForwardNorm])
        }
        hidden.reshape(n, c.hiddenSize)
        reciprocal.reshape(1, n)
        RowKernels.rmsNorm(
            x.view, weight: model.outputNorm.view, into: hidden.view, reciprocal: reciprocal, epsilon: model.epsilon)
    }

    private func linear(_ layer: FrozenModel.Layer, _ part: TensorRole.Part, _ x: MatrixView, _ y: Matrix) throws {
        try layer.linears[part]!.apply(x, into: y.view, scratch: tile)
        if let bias = layer.biases[part] { RowKernels.addBias(bias.view, to: y.view) }
    }

    private func normed(_ x: Matrix, _ weight: Matrix?) -> MatrixView {
        guard let weight else { return x.view }
        reciprocal.reshape(1, x.rows)
        RowKernels.rmsNorm(
            x.view, weight: weight.view, into: h.view, reciprocal: reciprocal, epsilon: model.epsilon)
        return h.view
    }

    private func normHeads(_ matrix: Matrix, _ weight: Matrix?) {
        guard let weight else { return }
        let heads = matrix.view.reshaped(matrix.count / weight.count, weight.count)
        reciprocal.reshape(1, heads.rows)
        RowKernels.rmsNorm(heads, weight: weight.view, into: heads, reciprocal: reciprocal, epsilon: model.epsilon)
    }

    private func addHalf(_ postNorm: Matrix?) {
        if let postNorm {
            reciprocal.reshape(1, y.rows)
            RowKernels.rmsNorm(
                y.view, weight: postNorm.view, into: y.view, reciprocal: reciprocal, epsilon: model.epsilon)
        }
        RowKernels.add(y.view, scale: Float(model.configuration.residualScale), to: x.view)
    }

    private func attend(_ q: Matrix, _ keys: Matrix, _ values: Matrix, window: Int?, into output: Matrix) {
        let c = model.configuration
        let n = keys.rows
        let group = c.headCount / c.keyValueHeadCount
        none.reshape(Self.chunk, 1)
        for start in stride(from: 0, to: n, by: Self.chunk) {
            let range = start..<min(n, start + Self.chunk)
            let firstColumn = window.map { max(0, start - $0 + 1) } ?? 0
            let columns = firstColumn..<range.upperBound
            let rows = range.map { row in
                AttentionKernels.row(
                    first: max(0, window.map { row - $0 + 1 } ?? 0) - firstColumn, last: row + 1 - firstColumn,
                    ownStart: 0,
                    ownCount: 0)
            }
            let kernels = AttentionKernels(
                rows: rows, headSize: c.headSize, scale: Float(c.attentionScale),
                cap: Float(c.attentionSoftCap ?? 0))
            scores.reshape(range.count, columns.count)
            for head in 0..<c.headCount {
                let place = head * c.headSize..<(head + 1) * c.headSize
                let shared = head / group * c.headSize..<(head / group + 1) * c.headSize
                let queries = q.view(rows: range, columns: place)
                let seen = keys.view(rows: columns, columns: shared)
                Product.multiply(queries, seen, into: scores.view, transposing: .second)
                kernels.probabilities(
                    scores.view, own: none.view(rows: 0..<range.count), slopes: nil, queries: queries, keys: seen)
                Product.multiply(
                    scores.view, values.view(rows: columns, columns: shared),
                    into: output.view(rows: range, columns: place))
            }
        }
    }
}
