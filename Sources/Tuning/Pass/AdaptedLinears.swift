import ModelGraph

/// Linears that read the same rows, with their gated low-rank parts: y = W x + b + scale · B (A x), on mask rows only.
final class AdaptedLinears {
    private let layer: FrozenModel.Layer
    private let group: ParameterLayout.Group
    private let scale: Float
    private let shared: Shared
    /// A x for all adapted parts side by side, kept for the backward pass: [rows, sum of ranks].
    private let low = Matrix()

    /// What all groups of a pass use in turn.
    final class Shared {
        let tile = Matrix()
        let lowGradient = Matrix()
    }

    init(layer: FrozenModel.Layer, group: ParameterLayout.Group, scale: Float, shared: Shared) {
        self.layer = layer
        self.group = group
        self.scale = scale
        self.shared = shared
    }

    func forward(_ x: MatrixView, parameters: Matrix, into outputs: [MatrixView]) throws {
        if let a = group.a {
            low.reshape(x.rows, a.rows)
            Product.multiply(x, parameters.view(a), into: low.view, transposing: .second)
        }
        for (part, y) in zip(group.parts, outputs) {
            try layer.linears[part]!.apply(x, into: y, scratch: shared.tile)
            if let bias = layer.biases[part] { RowKernels.addBias(bias.view, to: y) }
            if let adapter = group.adapters[part] {
                Product.multiply(
                    low.view.view(columns: adapter.lowColumns), parameters.view(adapter.b),
                    into: y, transposing: .second, factor: scale, keep: 1)
            }
        }
    }

    /// Adds to the factors' gradients and overwrites dx.
    func backward(
        _ x: MatrixView, outputGradients: [MatrixView], parameters: Matrix, gradient: Matrix, into dx: MatrixView
    ) throws {
        let lowGradient = shared.lowGradient
        if let a = group.a { lowGradient.reshape(x.rows, a.rows) }
        var keep: Float = 0
        for (part, dy) in zip(group.parts, outputGradients) {
            try layer.linears[part]!.applyTransposed(dy, into: dx, keep: keep, scratch: shared.tile)
            keep = 1
            if let adapter = group.adapters[part] {
                Product.multiply(
                    dy, parameters.view(adapter.b), into: lowGradient.view.view(columns: adapter.lowColumns),
                    factor: scale)
                Product.multiply(
                    dy, low.view.view(columns: adapter.lowColumns), into: gradient.view(adapter.b),
                    transposing: .first,
                    factor: scale, keep: 1)
            }
        }
        if let a = group.a {
            Product.multiply(lowGradient.view, x, into: gradient.view(a), transposing: .first, keep: 1)
            Product.multiply(lowGradient.view, parameters.view(a), into: dx, keep: 1)
        }
    }
}
