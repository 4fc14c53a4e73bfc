import Foundation

/// AdamW (arXiv 1711.05101) over a flat run of parameters.
final class Optimizer {
    let moment1: Matrix
    let moment2: Matrix

    init(count: Int) {
        moment1 = Matrix(1, count)
        moment2 = Matrix(1, count)
    }

    /// - Parameters:
    ///   - step: counted from 0.
    ///   - gradientScale: what the gradient is multiplied by first, for clipping.
    func update(_ parameters: Matrix, gradient: Matrix, step: Int, gradientScale: Double, options: TuningOptions) {
        let t = Double(step + 1)
        RowKernels.adamW(
            parameters.view, gradient: gradient.view, moment1: moment1.view, moment2: moment2.view,
            RowKernels.AdamW(
                rate: Float(options.rate(step: step)), beta1: Float(options.beta1), beta2: Float(options.beta2),
                epsilon: Float(options.epsilon), decay: Float(options.weightDecay),
                correction1: Float(1 - pow(options.beta1, t)), correction2: Float(1 - pow(options.beta2, t)),
                gradientScale: Float(gradientScale)))
    }
}
