import TensorFiles

/// A tensor of 32-bit floats that are computed, not stored: each row depends on the seed and its index alone, so
/// that any part of it can be asked for at any time, from any thread.
struct GeneratedSource: TensorSource {
    enum Law: Sendable {
        case constant(Float)
        /// Uniform between -bound and bound.
        case uniform(bound: Float)
        /// Normal around `mean` (one value for each column, or none: zero) with this deviation.
        case normal(mean: [Float], deviation: Float)
    }

    let law: Law
    let seed: UInt64

    func withBytes<Result>(
        rows: Range<Int>, rowByteCount: Int, _ body: (RawSpan) throws -> Result
    ) throws -> Result {
        let columns = rowByteCount / 4
        var bytes: [UInt8] = []
        bytes.reserveCapacity(rows.count * rowByteCount)
        for row in rows {
            var generator = SplitMix64(seed: seed &+ UInt64(truncatingIfNeeded: row) &* 0x9E6C_63D0_876A_3F35)
            for column in 0..<columns {
                let value: Float
                switch law {
                case .constant(let constant): value = constant
                case .uniform(let bound): value = (2 * generator.unit() - 1) * bound
                case .normal(let mean, let deviation):
                    value = (mean.isEmpty ? 0 : mean[column]) + deviation * generator.normal()
                }
                let bits = value.bitPattern
                for shift in stride(from: 0, to: 32, by: 8) {
                    bytes.append(UInt8(truncatingIfNeeded: bits >> UInt32(shift)))
                }
            }
        }
        return try unsafe body(bytes.span.bytes)
    }
}

/// Steele, Lea and Flood's SplitMix64: one 64-bit state, good enough for initial weights, the same everywhere.
struct SplitMix64 {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    /// Uniform in [0, 1) with 24 bits.
    mutating func unit() -> Float { Float(next() >> 40) * 0x1p-24 }

    /// Standard normal to four moments' worth: the sum of twelve uniforms less six, which needs no logarithm and so
    /// is the same to the bit on every machine.
    mutating func normal() -> Float {
        var sum: Float = -6
        for _ in 0..<12 { sum += unit() }
        return sum
    }
}
