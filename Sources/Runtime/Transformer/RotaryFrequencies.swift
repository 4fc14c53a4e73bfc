import Foundation
package import ModelGraph

/// The angle by which each pair of a head turns from one position to the next, in radians.
///
/// Rounded to 32 bits where the reference implementation rounds, since that is what models were trained with.
package struct RotaryFrequencies {
    /// One for each pair: `dimension / 2`.
    package let perPosition: [Float]
    package let magnitude: Float

    /// - Parameter context: positions that the sequence may hold; decides between a long-context rotary's two sets.
    package init(_ rotary: ModelConfiguration.Rotary, context: Int) {
        let pairs = rotary.dimension / 2
        let plain = (0..<pairs).map { Float(1 / pow(rotary.base, Double(2 * $0) / Double(rotary.dimension))) }
        magnitude = Float(rotary.magnitude)
        switch rotary.scaling {
        case .none:
            perPosition = plain
        case .linear(let factor):
            perPosition = plain.map { $0 / Float(factor) }
        case .factors(let divisors):
            perPosition = Self.divide(plain, by: divisors)
        case .longRope(let short, let long, let originalContext):
            perPosition = Self.divide(plain, by: context > originalContext ? long : short)
        case .llama3(let factor, let lowFactor, let highFactor, let originalContext):
            perPosition = plain.map {
                Self.llama3($0, factor, lowFactor, highFactor, context: Double(originalContext))
            }
        case .yarn(let factor, let originalContext, let betaFast, let betaSlow, let extrapolation):
            /// The pair that makes `turns` full turns within the original context (arXiv 2309.00071, section 3.2).
            func pair(turns: Double) -> Double {
                Double(rotary.dimension) * log(Double(originalContext) / (turns * 2 * .pi)) / (2 * log(rotary.base))
            }
            let low = max(0, pair(turns: betaFast).rounded(.down))
            let high = min(Double(rotary.dimension - 1), pair(turns: betaSlow).rounded(.up))
            perPosition = plain.enumerated().map { index, frequency in
                let ramp = min(1, max(0, (Double(index) - low) / max(0.001, high - low)))
                let kept = (1 - ramp) * extrapolation
                return Float(Double(frequency) / factor * (1 - kept) + Double(frequency) * kept)
            }
        }
    }

    private static func divide(_ frequencies: [Float], by divisors: [Double]) -> [Float] {
        zip(frequencies, divisors).map { $0 / Float($1) }
    }

    private static func llama3(
        _ frequency: Float, _ factor: Double, _ lowFactor: Double, _ highFactor: Double, context: Double
    ) -> Float {
        let wavelength = 2 * Double.pi / Double(frequency)
        if wavelength > context / lowFactor { return Float(Double(frequency) / factor) }
        if wavelength < context / highFactor { return frequency }
        let smooth = (context / wavelength - lowFactor) / (highFactor - lowFactor)
        return Float((1 - smooth) * Double(frequency) / factor + smooth * Double(frequency))
    }
}
