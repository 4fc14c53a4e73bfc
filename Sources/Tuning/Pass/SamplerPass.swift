import ModelGraph

/// The sampler head over all mask rows of a sequence: o = tail2(W2 h), h = tail1(Wt e + Wh z), tail = norm(SiLU(x + b)),
/// plus h with the residual. e is the embedding row of the true token before, as the table stores it.
final class SamplerPass {
    private let layout: ParameterLayout
    /// What goes through the unembedding: [rows, d].
    let output = Matrix()

    private let linear1 = Matrix(), activated1 = Matrix(), h = Matrix()
    private let linear2 = Matrix(), activated2 = Matrix()
    private let statistics = (0..<2).map { _ in (mean: Matrix(), reciprocal: Matrix()) }
    private let gradient1 = Matrix(), gradient2 = Matrix(), hGradient = Matrix()

    init(layout: ParameterLayout) { self.layout = layout }

    func forward(embedded: MatrixView, hidden: MatrixView, parameters: Matrix) {
        let (n, d) = (hidden.rows, hidden.columns)
        for matrix in [linear1, activated1, h, linear2, activated2, output] { matrix.reshape(n, d) }
        Product.multiply(embedded, parameters.view(layout.token), into: linear1.view, transposing: .second)
        Product.multiply(hidden, parameters.view(layout.hidden), into: linear1.view, transposing: .second, keep: 1)
        tail(0, linear1, activated1, h, parameters)
        Product.multiply(h.view, parameters.view(layout.second), into: linear2.view, transposing: .second)
        tail(1, linear2, activated2, output, parameters)
        if layout.residual { RowKernels.add(h.view, to: output.view) }
    }

    private func tail(_ index: Int, _ x: Matrix, _ activated: Matrix, _ y: Matrix, _ parameters: Matrix) {
        let slots = layout.tails[index]
        let (mean, reciprocal) = statistics[index]
        mean.reshape(1, x.rows)
        reciprocal.reshape(1, x.rows)
        if let bias = slots.bias { RowKernels.addBias(parameters.view(bias), to: x.view) }
        RowKernels.silu(x.view, into: activated.view)
        let weight = parameters.view(slots.normWeight)
        switch layout.norm {
        case .layerNorm:
            RowKernels.layerNorm(
                activated.view, weight: weight, bias: slots.normBias.map { parameters.view($0) }, into: y.view,
                mean: mean, reciprocal: reciprocal, epsilon: layout.normEpsilon)
        case .rmsNorm:
            RowKernels.rmsNorm(
                activated.view, weight: weight, into: y.view, reciprocal: reciprocal, epsilon: layout.normEpsilon)
        }
    }

    /// Adds the parameters' gradients to `gradient`, and the hidden rows' to `hiddenGradient`.
    func backward(
        outputGradient: Matrix, embedded: MatrixView, hidden: MatrixView, parameters: Matrix, gradient: Matrix,
        hiddenGradient: MatrixView
    ) {
        let (n, d) = (hidden.rows, hidden.columns)
        for matrix in [gradient1, gradient2, hGradient] { matrix.reshape(n, d) }
        tailBackward(1, outputGradient, linear2, activated2, into: gradient2, parameters, gradient)
        Product.multiply(
            gradient2.view, h.view, into: gradient.view(layout.second), transposing: .first, keep: 1)
        Product.multiply(gradient2.view, parameters.view(layout.second), into: hGradient.view)
        if layout.residual { RowKernels.add(outputGradient.view, to: hGradient.view) }
        tailBackward(0, hGradient, linear1, activated1, into: gradient1, parameters, gradient)
        Product.multiply(gradient1.view, embedded, into: gradient.view(layout.token), transposing: .first, keep: 1)
        Product.multiply(gradient1.view, hidden, into: gradient.view(layout.hidden), transposing: .first, keep: 1)
        Product.multiply(gradient1.view, parameters.view(layout.hidden), into: hiddenGradient, keep: 1)
    }

    private func tailBackward(
        _ index: Int, _ dy: Matrix, _ x: Matrix, _ activated: Matrix, into dx: Matrix, _ parameters: Matrix,
        _ gradient: Matrix
    ) {
        let slots = layout.tails[index]
        let (mean, reciprocal) = statistics[index]
        let weight = parameters.view(slots.normWeight)
        switch layout.norm {
        case .layerNorm:
            RowKernels.layerNormBackward(
                dy.view, x: activated.view, weight: weight, mean: mean, reciprocal: reciprocal, into: dx.view,
                weightGradient: gradient.view(slots.normWeight),
                biasGradient: slots.normBias.map { gradient.view($0) })
        case .rmsNorm:
            RowKernels.rmsNormBackward(
                dy.view, x: activated.view, weight: weight, reciprocal: reciprocal, into: dx.view,
                weightGradient: gradient.view(slots.normWeight), accumulate: false)
        }
        RowKernels.siluBackward(dx.view, x: x.view, into: dx.view)
        if let bias = slots.bias { RowKernels.addColumnSums(of: dx.view, to: gradient.view(bias)) }
    }
}
