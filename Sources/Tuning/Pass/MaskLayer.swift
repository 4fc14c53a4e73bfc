import ModelGraph

/// One transformer block over the mask rows of a sequence: forward with what the way back needs, and back.
final class MaskLayer {
    private let model: FrozenModel
    private let layer: FrozenModel.Layer
    private let index: Int
    private let attention: MaskAttention
    private let linears: [AdaptedLinears]
    private let shared: Shared

    // Kept from forward to backward, a row for each mask row.
    private let input = Matrix(), normed = Matrix(), queries = Matrix(), keys = Matrix(), values = Matrix()
    private let attended = Matrix(), middle = Matrix(), middleNormed = Matrix(), gate = Matrix(), up = Matrix()
    /// Before the query, key and post norms, where the model has them.
    private let rawQueries = Matrix(), rawKeys = Matrix(), rawAttention = Matrix(), rawFeedForward = Matrix()
    private var reciprocals: [TensorRole.Part: Matrix] = [:]

    /// Memory that the layers use in turn.
    final class Shared {
        let activated = Matrix(), y = Matrix(), wide = Matrix(), narrow = Matrix()
        let queryGradient = Matrix(), keyGradient = Matrix(), valueGradient = Matrix(), attendedGradient = Matrix()
    }

    init(
        model: FrozenModel, index: Int, layout: ParameterLayout, linears: AdaptedLinears.Shared,
        attention: MaskAttention.Shared, shared: Shared
    ) {
        self.model = model
        self.index = index
        self.shared = shared
        layer = model.layers[index]
        let configuration = model.configuration
        self.attention = MaskAttention(
            configuration: configuration, window: configuration.layers[index].slidingWindow, shared: attention)
        self.linears = layout.layers[index].map {
            AdaptedLinears(layer: model.layers[index], group: $0, scale: layout.scale, shared: linears)
        }
        for part in layer.norms.keys { reciprocals[part] = Matrix() }
    }

    // MARK: Forward

    /// Replaces x, the residual stream of the mask rows, by the block's output.
    func forward(
        _ x: Matrix, sequence: MixedSequence, ordinary: OrdinaryPass, parameters: Matrix
    ) throws {
        let c = model.configuration
        let n = x.rows
        attention.prepare(sequence)
        input.reshape(n, c.hiddenSize)
        input.view.copy(from: x.view)
        queries.reshape(n, model.queryWidth)
        keys.reshape(n, model.keyWidth)
        values.reshape(n, model.keyWidth)
        attended.reshape(n, model.queryWidth)
        try linears[0].forward(
            norm(input, .attentionNorm, into: normed), parameters: parameters,
            into: [queries.view, keys.view, values.view])
        normHeads(queries, .queryNorm, raw: rawQueries)
        normHeads(keys, .keyNorm, raw: rawKeys)
        rotate([queries, keys], sequence, ordinary, forward: true)
        attention.forward(attentionInputs(ordinary), into: attended)
        shared.y.reshape(n, c.hiddenSize)
        try linears[1].forward(attended.view, parameters: parameters, into: [shared.y.view])
        addHalf(.postAttentionNorm, raw: rawAttention, to: x)
        middle.reshape(n, c.hiddenSize)
        middle.view.copy(from: x.view)
        gate.reshape(n, c.feedForwardSize)
        up.reshape(n, c.feedForwardSize)
        try linears[2].forward(
            norm(middle, .feedForwardNorm, into: middleNormed), parameters: parameters, into: [gate.view, up.view])
        shared.activated.reshape(n, c.feedForwardSize)
        RowKernels.gated(gate: gate.view, up: up.view, into: shared.activated.view, activation: model.activation)
        try linears[3].forward(shared.activated.view, parameters: parameters, into: [shared.y.view])
        addHalf(.postFeedForwardNorm, raw: rawFeedForward, to: x)
    }

    private func attentionInputs(_ ordinary: OrdinaryPass) -> MaskAttention.Inputs {
        MaskAttention.Inputs(
            queries: queries, keys: keys, values: values, prefixKeys: ordinary.keys[index],
            prefixValues: ordinary.values[index])
    }

    private func rotate(_ matrices: [Matrix], _ sequence: MixedSequence, _ ordinary: OrdinaryPass, forward: Bool) {
        let c = model.configuration
        guard let rotary = c.layers[index].rotary else { return }
        for matrix in matrices {
            RowKernels.rotate(
                matrix.view, positions: sequence.positions, table: ordinary.tables[rotary], headSize: c.headSize,
                interleaved: c.rotaryOrder == .interleaved, forward: forward)
        }
    }

    private func norm(_ x: Matrix, _ part: TensorRole.Part, into y: Matrix) -> MatrixView {
        guard let weight = layer.norms[part], let reciprocal = reciprocals[part] else { return x.view }
        y.reshape(x.rows, x.columns)
        reciprocal.reshape(1, x.rows)
        RowKernels.rmsNorm(
            x.view, weight: weight.view, into: y.view, reciprocal: reciprocal, epsilon: model.epsilon)
        return y.view
    }

    /// Over each head, or over all at once when the norm's weight is that long.
    private func normHeads(_ x: Matrix, _ part: TensorRole.Part, raw: Matrix) {
        guard let weight = layer.norms[part], let reciprocal = reciprocals[part] else { return }
        raw.reshape(x.rows, x.columns)
        raw.view.copy(from: x.view)
        let (rows, size) = (x.count / weight.count, weight.count)
        reciprocal.reshape(1, rows)
        RowKernels.rmsNorm(
            raw.view.reshaped(rows, size), weight: weight.view, into: x.view.reshaped(rows, size),
            reciprocal: reciprocal, epsilon: model.epsilon)
    }

    private func addHalf(_ part: TensorRole.Part, raw: Matrix, to x: Matrix) {
        let y = shared.y
        if let weight = layer.norms[part], let reciprocal = reciprocals[part] {
            raw.reshape(y.rows, y.columns)
            raw.view.copy(from: y.view)
            reciprocal.reshape(1, y.rows)
            RowKernels.rmsNorm(
                raw.view, weight: weight.view, into: y.view, reciprocal: reciprocal, epsilon: model.epsilon)
        }
        RowKernels.add(y.view, scale: Float(model.configuration.residualScale), to: x.view)
    }

    // MARK: Backward

    /// Replaces dx, the gradient of the block's output, by that of its input; adds to the parameters' gradients.
    func backward(
        _ dx: Matrix, sequence: MixedSequence, ordinary: OrdinaryPass, parameters: Matrix, gradient: Matrix
    ) throws {
        let c = model.configuration
        let n = dx.rows
        let dy = shared.y
        dy.reshape(n, c.hiddenSize)
        shared.narrow.reshape(n, c.hiddenSize)
        shared.wide.reshape(n, c.feedForwardSize)
        shared.activated.reshape(n, c.feedForwardSize)
        // Feed-forward half.
        halfBackward(dx, .postFeedForwardNorm, raw: rawFeedForward, into: dy)
        RowKernels.gated(gate: gate.view, up: up.view, into: shared.activated.view, activation: model.activation)
        try linears[3].backward(
            shared.activated.view, outputGradients: [dy.view], parameters: parameters, gradient: gradient,
            into: shared.wide.view)
        RowKernels.gatedBackward(shared.wide.view, gate: gate.view, up: up.view, activation: model.activation)
        try linears[2].backward(
            layer.norms[.feedForwardNorm] == nil ? middle.view : middleNormed.view,
            outputGradients: [gate.view, up.view], parameters: parameters, gradient: gradient,
            into: shared.narrow.view)
        normBackward(shared.narrow, .feedForwardNorm, x: middle, addTo: dx)
        // Attention half.
        halfBackward(dx, .postAttentionNorm, raw: rawAttention, into: dy)
        let (dq, dk, dv) = (shared.queryGradient, shared.keyGradient, shared.valueGradient)
        shared.attendedGradient.reshape(n, model.queryWidth)
        dq.reshape(n, model.queryWidth)
        dk.reshape(n, model.keyWidth)
        dv.reshape(n, model.keyWidth)
        try linears[1].backward(
            attended.view, outputGradients: [dy.view], parameters: parameters, gradient: gradient,
            into: shared.attendedGradient.view)
        attention.backward(
            attentionInputs(ordinary), output: attended, outputGradient: shared.attendedGradient,
            into: MaskAttention.Gradients(queries: dq, keys: dk, values: dv))
        rotate([dq, dk], sequence, ordinary, forward: false)
        normHeadsBackward(dq, .queryNorm, raw: rawQueries)
        normHeadsBackward(dk, .keyNorm, raw: rawKeys)
        try linears[0].backward(
            layer.norms[.attentionNorm] == nil ? input.view : normed.view,
            outputGradients: [dq.view, dk.view, dv.view], parameters: parameters, gradient: gradient,
            into: shared.narrow.view)
        normBackward(shared.narrow, .attentionNorm, x: input, addTo: dx)
    }

    /// dy = the gradient before the post norm and the residual's multiplier.
    private func halfBackward(_ dx: Matrix, _ part: TensorRole.Part, raw: Matrix, into dy: Matrix) {
        RowKernels.scale(dx.view, by: Float(model.configuration.residualScale), into: dy.view)
        guard let weight = layer.norms[part], let reciprocal = reciprocals[part] else { return }
        RowKernels.rmsNormBackward(
            dy.view, x: raw.view, weight: weight.view, reciprocal: reciprocal, into: dy.view, accumulate: false)
    }

    private func normBackward(_ dy: Matrix, _ part: TensorRole.Part, x: Matrix, addTo dx: Matrix) {
        guard let weight = layer.norms[part], let reciprocal = reciprocals[part] else {
            return RowKernels.add(dy.view, to: dx.view)
        }
        RowKernels.rmsNormBackward(
            dy.view, x: x.view, weight: weight.view, reciprocal: reciprocal, into: dx.view, accumulate: true)
    }

    private func normHeadsBackward(_ gradient: Matrix, _ part: TensorRole.Part, raw: Matrix) {
        guard let weight = layer.norms[part], let reciprocal = reciprocals[part] else { return }
        let (rows, size) = (gradient.count / weight.count, weight.count)
        let heads = gradient.view.reshaped(rows, size)
        RowKernels.rmsNormBackward(
            heads, x: raw.view.reshaped(rows, size), weight: weight.view, reciprocal: reciprocal, into: heads,
            accumulate: false)
    }
}
