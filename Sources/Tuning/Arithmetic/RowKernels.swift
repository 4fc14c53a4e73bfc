import CKernels

/// The trainer's row arithmetic (CKernels/training_rows.h) behind shape checks.
enum RowKernels {
    @safe private struct Table: @unchecked Sendable { let kernels: ft_training_kernels }

    private static let table: Table = {
        let best = ft_isa_supported(FT_ISA_AVX2) ? FT_ISA_AVX2 : FT_ISA_SCALAR
        return unsafe Table(kernels: ft_training_kernels_for(best).pointee)
    }()

    static var kernels: ft_training_kernels { table.kernels }

    private static func require(_ condition: Bool) { precondition(condition, "shapes of a row kernel disagree") }

    /// `weightGradient` is added to; with `accumulate`, so is dx.
    static func rmsNormBackward(
        _ dy: MatrixView, x: MatrixView, weight: MatrixView, reciprocal: Matrix, into dx: MatrixView,
        weightGradient: MatrixView? = nil, accumulate: Bool
    ) {
        require(dy.isContiguous && x.isContiguous && dx.isContiguous && dy.count == x.count && x.count == dx.count)
        require(weight.count == x.columns && reciprocal.count >= x.rows)
        require(weightGradient.map { $0.count == x.columns } ?? true)
        unsafe kernels.rms_norm_backward(
            dy.pointer, x.pointer, weight.pointer, reciprocal.view.pointer, dx.pointer, weightGradient?.pointer,
            x.rows, x.columns, accumulate ? 1 : 0)
    }

    static func rmsNorm(_ x: MatrixView, weight: MatrixView, into y: MatrixView, reciprocal: Matrix, epsilon: Float) {
        require(x.isContiguous && y.isContiguous && x.count == y.count && x.columns == y.columns)
        require(weight.count == x.columns && reciprocal.count >= x.rows)
        unsafe kernels.rms_norm(
            x.pointer, weight.pointer, y.pointer, reciprocal.view.pointer, x.rows, x.columns, epsilon)
    }

    static func layerNorm(
        _ x: MatrixView, weight: MatrixView, bias: MatrixView?, into y: MatrixView, mean: Matrix, reciprocal: Matrix,
        epsilon: Float
    ) {
        require(x.isContiguous && y.isContiguous && x.count == y.count)
        require(weight.count == x.columns && (bias.map { $0.count == x.columns } ?? true))
        require(mean.count >= x.rows && reciprocal.count >= x.rows)
        unsafe kernels.layer_norm(
            x.pointer, weight.pointer, bias?.pointer, y.pointer, mean.view.pointer, reciprocal.view.pointer, x.rows,
            x.columns, epsilon)
    }

    static func layerNormBackward(
        _ dy: MatrixView, x: MatrixView, weight: MatrixView, mean: Matrix, reciprocal: Matrix, into dx: MatrixView,
        weightGradient: MatrixView, biasGradient: MatrixView?
    ) {
        require(dy.isContiguous && x.isContiguous && dx.isContiguous && dy.count == x.count && x.count == dx.count)
        require(weight.count == x.columns && weightGradient.count == x.columns)
        require(biasGradient.map { $0.count == x.columns } ?? true)
        require(mean.count >= x.rows && reciprocal.count >= x.rows)
        unsafe kernels.layer_norm_backward(
            dy.pointer, x.pointer, weight.pointer, mean.view.pointer, reciprocal.view.pointer, dx.pointer,
            weightGradient.pointer, biasGradient?.pointer, x.rows, x.columns)
    }

    /// Turns each head of the rows of x in place; `table` has a row of cosines and one of sines for each position.
    static func rotate(
        _ x: MatrixView, positions: [Int32], table: RotaryTable, headSize: Int, interleaved: Bool, forward: Bool
    ) {
        require(x.isContiguous && x.rows == positions.count && x.columns % headSize == 0)
        require(2 * table.pairs <= headSize)
        require(positions.allSatisfy { $0 >= 0 && Int($0) < table.cosine.rows })
        unsafe kernels.rotary(
            x.pointer, positions, table.cosine.view.pointer, table.sine.view.pointer, x.rows, x.columns / headSize,
            headSize, table.pairs, interleaved ? 1 : 0, forward ? 1 : -1)
    }

    /// y = activation(gate) * up; activation 0 is SiLU, 1 GELU's tanh form.
    static func gated(gate: MatrixView, up: MatrixView, into y: MatrixView, activation: Int32) {
        require(gate.isContiguous && up.isContiguous && y.isContiguous)
        require(gate.count == y.count && up.count == y.count)
        unsafe kernels.gated(gate.pointer, up.pointer, y.pointer, y.count, activation)
    }

    /// gate and up become their gradients.
    static func gatedBackward(_ dy: MatrixView, gate: MatrixView, up: MatrixView, activation: Int32) {
        require(gate.isContiguous && up.isContiguous && dy.isContiguous)
        require(gate.count == dy.count && up.count == dy.count)
        unsafe kernels.gated_backward(dy.pointer, gate.pointer, up.pointer, dy.count, activation)
    }

    static func silu(_ x: MatrixView, into y: MatrixView) {
        require(x.isContiguous && y.isContiguous && x.count == y.count)
        unsafe kernels.silu(x.pointer, y.pointer, x.count)
    }

    static func siluBackward(_ dy: MatrixView, x: MatrixView, into dx: MatrixView) {
        require(dy.isContiguous && x.isContiguous && dx.isContiguous && dy.count == x.count && dx.count == x.count)
        unsafe kernels.silu_backward(dy.pointer, x.pointer, dx.pointer, x.count)
    }

    /// y += scale * x.
    static func add(_ x: MatrixView, scale: Float = 1, to y: MatrixView) {
        require(x.isContiguous && y.isContiguous && x.count == y.count)
        unsafe kernels.add_scaled(y.pointer, x.pointer, scale, x.count)
    }

    /// y = scale * x.
    static func scale(_ x: MatrixView, by scale: Float, into y: MatrixView) {
        require(x.isContiguous && y.isContiguous && x.count == y.count)
        unsafe kernels.scale(y.pointer, x.pointer, scale, x.count)
    }

    static func addBias(_ bias: MatrixView, to y: MatrixView) {
        require(y.isContiguous && bias.count == y.columns)
        unsafe kernels.add_bias(y.pointer, bias.pointer, y.rows, y.columns)
    }

    /// sum += the rows of x.
    static func addColumnSums(of x: MatrixView, to sum: MatrixView) {
        require(x.isContiguous && sum.count == x.columns)
        unsafe kernels.column_sums(sum.pointer, x.pointer, x.rows, x.columns)
    }

    static func sumOfSquares(_ x: MatrixView) -> Double {
        require(x.isContiguous)
        return unsafe kernels.sum_of_squares(x.pointer, x.count)
    }

    /// Sum of (z - anchor)^2 over a row; dz += gradientScale * (z - anchor).
    static func squaredDistance(
        _ z: MatrixView, anchor: MatrixView, gradient dz: MatrixView, gradientScale: Float
    ) -> Double {
        require(z.rows == 1 && anchor.rows == 1 && dz.rows == 1)
        require(z.columns == anchor.columns && z.columns == dz.columns)
        return unsafe kernels.squared_distance(z.pointer, anchor.pointer, dz.pointer, z.columns, gradientScale)
    }

    /// Cross-entropy of one row; the row becomes `weight` times the loss's gradient with respect to the raw logits.
    static func crossEntropy(
        _ logits: MatrixView, targets: [Int32], weights: [Float], range: Range<Int>, weight: Float, scale: Float,
        cap: Float
    ) -> (loss: Double, best: Int32) {
        require(logits.rows == 1 && targets.count == weights.count && range.upperBound <= targets.count)
        require(targets[range].allSatisfy { $0 >= 0 && Int($0) < logits.columns })
        var best: Int32 = -1
        let loss = unsafe targets.withUnsafeBufferPointer { target in
            unsafe weights.withUnsafeBufferPointer { weights in
                unsafe kernels.cross_entropy(
                    logits.pointer, logits.columns, target.baseAddress! + range.lowerBound,
                    weights.baseAddress! + range.lowerBound, range.count, weight, scale, cap, &best)
            }
        }
        return (loss, best)
    }

    /// The largest logits of a row and their softmax among themselves.
    static func top(_ logits: MatrixView, count: Int, scale: Float, cap: Float) -> (index: [Int32], weight: [Float]) {
        require(logits.rows == 1 && count > 0)
        var index = [Int32](repeating: 0, count: count)
        var weight = [Float](repeating: 0, count: count)
        unsafe kernels.top(logits.pointer, logits.columns, count, &index, &weight, scale, cap)
        return (index, weight)
    }

    /// The lowest index of the largest element; -1 when there is none that compares (NaN).
    static func argmax(_ x: MatrixView) -> Int32 {
        require(x.rows == 1)
        return unsafe kernels.argmax(x.pointer, x.columns)
    }

    struct AdamW {
        var rate: Float
        var beta1: Float
        var beta2: Float
        var epsilon: Float
        var decay: Float
        var correction1: Float
        var correction2: Float
        var gradientScale: Float
    }

    static func adamW(
        _ parameter: MatrixView, gradient: MatrixView, moment1: MatrixView, moment2: MatrixView, _ settings: AdamW
    ) {
        require(parameter.isContiguous && gradient.isContiguous && moment1.isContiguous && moment2.isContiguous)
        require(
            parameter.count == gradient.count && moment1.count == gradient.count && moment2.count == gradient.count)
        unsafe kernels.adamw(
            parameter.pointer, gradient.pointer, moment1.pointer, moment2.pointer, parameter.count, settings.rate,
            settings.beta1, settings.beta2, settings.epsilon, settings.decay, settings.correction1,
            settings.correction2, settings.gradientScale)
    }
}
