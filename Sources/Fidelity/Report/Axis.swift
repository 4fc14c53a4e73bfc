import Foundation

/// A chart's axis: the numbers it spans, linear or logarithmic, and where its marks lie.
struct Axis {
    enum Scale { case linear, logarithmic }

    let scale: Scale
    let low: Double
    let high: Double
    let marks: [Double]

    /// Spans `values` with round ends; a logarithmic axis ignores values that are not positive.
    init(_ values: [Double], scale: Scale = .linear, includesZero: Bool = false) {
        let usable = values.filter { $0.isFinite && (scale == .linear || $0 > 0) }
        var low = usable.min() ?? (scale == .linear ? 0 : 0.1)
        var high = usable.max() ?? 1
        switch scale {
        case .linear:
            if includesZero { low = min(low, 0) }
            if high - low < 1e-12 * max(1, abs(high)) { high = low + max(abs(low), 1) * 0.5 }
            let step = Self.roundStep((high - low) / 4)
            low = (low / step).rounded(.down) * step
            high = (high / step).rounded(.up) * step
            let count = Int(((high - low) / step).rounded())
            marks = (0...max(1, min(count, 12))).map { low + Double($0) * step }
        case .logarithmic:
            let lowest = floor(log10(low))
            let highest = max(lowest + 1, ceil(log10(high)))
            low = pow(10, lowest)
            high = pow(10, highest)
            let decades = Int(highest - lowest)
            let stride = max(1, decades / 5)
            marks = Swift.stride(from: 0, through: decades, by: stride).map { pow(10, lowest + Double($0)) }
        }
        self.scale = scale
        self.low = low
        self.high = high
    }

    /// Place of `value` on the axis, 0 … 1; values outside are put at its ends.
    func place(_ value: Double) -> Double {
        let share: Double
        switch scale {
        case .linear: share = (value - low) / (high - low)
        case .logarithmic: share = value > 0 ? log10(value / low) / log10(high / low) : 0
        }
        return min(1, max(0, share.isFinite ? share : 0))
    }

    private static func roundStep(_ raw: Double) -> Double {
        let power = pow(10, floor(log10(raw)))
        for factor in [1, 2, 2.5, 5, 10] where factor * power >= raw * 0.999 { return factor * power }
        return 10 * power
    }
}
