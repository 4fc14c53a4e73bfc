import Foundation

/// How far a candidate's next-token distributions are from the reference's, over all scored positions.
///
/// KL is KL(reference ‖ candidate) in nats: Σ p ln(p / q).
public struct DivergenceSummary: Codable, Equatable, Sendable {
    public var mean: Double
    /// Standard error of the mean.
    public var standardError: Double
    public var median: Double
    public var p90: Double
    public var p99: Double
    public var p999: Double
    public var max: Double
    /// Standard error of the mean that comes from the reference's record, which holds draws of the unlikely tokens.
    public var recordError = 0.0

    public init(values: [Float]) {
        let count = Double(Swift.max(values.count, 1))
        let mean = values.reduce(0.0) { $0 + Double($1) } / count
        let variance = values.reduce(0.0) { $0 + (Double($1) - mean) * (Double($1) - mean) } / Swift.max(count - 1, 1)
        let sorted = values.sorted()
        self.mean = mean
        standardError = (variance / count).squareRoot()
        median = Self.quantile(sorted, 0.5)
        p90 = Self.quantile(sorted, 0.9)
        p99 = Self.quantile(sorted, 0.99)
        p999 = Self.quantile(sorted, 0.999)
        max = Double(sorted.last ?? 0)
    }

    /// Linear interpolation between order statistics; `sorted` ascending.
    static func quantile(_ sorted: [Float], _ fraction: Double) -> Double {
        guard let last = sorted.indices.last else { return 0 }
        let place = fraction * Double(last)
        let below = Int(place)
        let above = Swift.min(below + 1, last)
        let part = place - Double(below)
        return Double(sorted[below]) * (1 - part) + Double(sorted[above]) * part
    }
}

/// A mean with the standard error of that mean.
public struct Estimate: Codable, Equatable, Sendable {
    public var value: Double
    public var standardError: Double

    public init(value: Double, standardError: Double) {
        self.value = value
        self.standardError = standardError
    }

    /// Perplexity exp(m) of mean negative log-likelihood m in nats, with its error by the delta method.
    package static func perplexity(_ loss: RunningMean) -> Estimate {
        let perplexity = exp(loss.mean)
        return Estimate(value: perplexity, standardError: perplexity * loss.standardError)
    }

    /// A share of `count` trials, with its binomial error.
    public static func share(_ hits: Int, of count: Int) -> Estimate {
        let share = Double(hits) / Double(max(count, 1))
        return Estimate(value: share, standardError: (share * (1 - share) / Double(max(count, 1))).squareRoot())
    }
}

/// Mean and variance of values that are not kept (Welford 1962).
package struct RunningMean: Sendable {
    package init() {}

    package private(set) var mean = 0.0
    private var squares = 0.0
    private var count = 0.0

    package mutating func add(_ value: Double) {
        count += 1
        let distance = value - mean
        mean += distance / count
        squares += distance * (value - mean)
    }

    /// Of the mean.
    package var standardError: Double { (squares / max(count - 1, 1) / max(count, 1)).squareRoot() }
}
