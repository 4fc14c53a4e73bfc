import Foundation

/// How long the parts of a step take on this machine with this model, in seconds, by how many rows they have.
///
/// Measured at load at a few row counts and interpolated between; corrected while decoding by what steps really
/// took, plain ones and those of more rows apart, so that neither a growing context nor a measurement that a busy
/// machine spoilt misleads the planner for long.
public struct StepCosts: Hashable, Sendable, Codable {
    /// A cost as a function of a count: knots with rising counts, straight lines between, the last slope beyond.
    public struct Curve: Hashable, Sendable, Codable {
        public private(set) var counts: [Int]
        public private(set) var seconds: [Double]

        /// Knots in any order; a cost that falls with the count is noise and is raised to the one before.
        public init(_ knots: [(count: Int, seconds: Double)]) {
            let sorted = knots.sorted { $0.count < $1.count }
            counts = sorted.map(\.count)
            var highest = 0.0
            seconds = sorted.map { knot in
                highest = max(highest, knot.seconds)
                return highest
            }
        }

        public func callAsFunction(_ count: Int) -> Double {
            guard count > 0, let first = counts.first else { return 0 }
            guard counts.count > 1, count > first else { return seconds[0] * Double(count) / Double(max(1, first)) }
            let upper = min(counts.firstIndex { $0 >= count } ?? counts.count - 1, counts.count - 1)
            let lower = upper - 1
            let slope = (seconds[upper] - seconds[lower]) / Double(counts[upper] - counts[lower])
            return seconds[lower] + slope * Double(count - counts[lower])
        }
    }

    /// The blocks of the model, embedding to final norm, by rows of any kind.
    public var layers: Curve
    /// What a mask row costs beyond an ordinary one: the graft's low-rank products, by mask rows.
    public var gated: Curve
    /// The unembedding and the choice of a token, by ordinary rows.
    public var verification: Curve
    /// Drafting from a block of masks, unembedding and sampler chain, by masks.
    public var drafting: Curve
    /// What plain steps took against what the curves say, a running ratio.
    private var correction = 1.0
    /// The same for steps of 1, 2, up to 4, up to 8 … rows against plain ones, and how often each was seen.
    private var shape = [Double](repeating: 1, count: 7)
    private var seen = [Double](repeating: 0, count: 7)
    /// Steps observed.
    private var steps = 0

    private enum CodingKeys: CodingKey { case layers, gated, verification, drafting }

    public init(layers: Curve, gated: Curve, verification: Curve, drafting: Curve) {
        self.layers = layers
        self.gated = gated
        self.verification = verification
        self.drafting = drafting
    }

    /// Seconds for the rows of a step, drafting left out.
    public func rows(ordinary: Int, masks: Int) -> Double {
        correction * shape[Self.rowClass(ordinary + masks)]
            * (layers(ordinary + masks) + gated(masks) + verification(ordinary))
    }

    public func draft(masks: Int) -> Double { correction * drafting(masks) }

    /// 0 for one row, 1 for two, 2 up to four, 3 up to eight …
    private static func rowClass(_ rows: Int) -> Int { min(6, Int.bitWidth - (rows - 1).leadingZeroBitCount) }

    /// How much of a correction that no step confirms is left after that many steps.
    private static let memory = (left: 0.97, steps: 32)

    /// Takes in that a step of so many rows, foreseen to take `predicted` seconds, took `actual`. A pause of the whole
    /// machine says nothing about rows, so what is far off counts as less.
    mutating func observe(rows: Int, predicted: Double, actual: Double) {
        guard predicted > 0, actual > 0 else { return }
        steps += 1
        if steps % Self.memory.steps == 0 {
            for index in 1..<shape.count { shape[index] = pow(shape[index], Self.memory.left) }
        }
        let index = Self.rowClass(rows)
        let surprise = min(max(log(actual / predicted), -1.5), 1.5)
        // The first steps of a kind say most about it.
        let factor = exp(max(index == 0 ? 0.05 : 0.1, 1 / (2 + seen[index])) * surprise)
        seen[index] += 1
        if index == 0 { correction *= factor } else { shape[index] *= factor }
    }
}
