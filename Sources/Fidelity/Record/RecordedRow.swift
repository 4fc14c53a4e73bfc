import Foundation
import TensorFiles

/// One row of a reference's logits, as much of it as a comparison needs.
///
/// The likeliest tokens keep their log-probabilities. The others keep their sum, and draws from among them with the
/// reference's own probabilities: each draw stands for an equal share of that sum, so that what a candidate loses in
/// the tail is estimated without bias instead of being left out. The draws depend on the row's number alone.
package struct RecordedRow: Equatable {
    package struct Entry: Equatable {
        package var token: Int
        /// -ln p in steps of 1 / `RecordShape.levelsPerNat`.
        package var level: UInt16

        var logProbability: Double { -Double(level) / RecordShape.levelsPerNat }
    }

    /// -ln of the probability of the token that came, exact to a float.
    package var targetLoss: Float
    /// Probability of all tokens that are not in `top`.
    package var remainder: Float
    /// Likeliest first; equal logits in the order of their ids.
    package var top: [Entry]
    package var sample: [Entry]

    /// - Parameters:
    ///   - logits: [vocabulary].
    ///   - target: id of the token that came.
    ///   - number: of the row in the record.
    package init(_ logits: Span<Float>, target: Int, number: Int, shape: RecordShape) {
        let best = RowComparer.top(shape.topCount, of: logits)
        let highest = best.first.map { logits[$0] } ?? 0
        var weights = [Double](repeating: 0, count: logits.count)
        var total = 0.0
        for index in logits.indices {
            let weight = exp(Double(logits[index] - highest))
            weights[index] = weight
            total += weight
        }
        let norm = Double(highest) + log(total)
        func entry(_ token: Int) -> Entry {
            let steps = (norm - Double(logits[token])) * RecordShape.levelsPerNat
            return Entry(token: token, level: UInt16(min(65_535, max(0, steps.rounded()))))
        }
        targetLoss = Float(max(0, norm - Double(logits[target])))
        top = best.map(entry)
        for token in best { weights[token] = 0 }
        let tail = weights.reduce(0, +)
        remainder = Float(tail / total)
        sample = Self.draws(shape.sampleCount, from: weights, sum: tail, number: number).map(entry)
    }

    /// Systematic sampling: equidistant marks on the running sum of the weights, the first at a place that the row's
    /// number decides.
    private static func draws(_ count: Int, from weights: [Double], sum: Double, number: Int) -> [Int] {
        guard count > 0 else { return [] }
        let distance = sum / Double(count)
        var mark = distance * fraction(number)
        var passed = 0.0
        var drawn: [Int] = []
        drawn.reserveCapacity(count)
        var last = weights.indices.last ?? 0
        for (token, weight) in weights.enumerated() where weight > 0 {
            passed += weight
            last = token
            while drawn.count < count, mark < passed {
                drawn.append(token)
                mark += distance
            }
        }
        // Rounding can leave the last mark just beyond the sum; a tail of nothing has no draws at all.
        return drawn + Array(repeating: last, count: count - drawn.count)
    }

    /// A number in [0, 1) that looks like chance: SplitMix64 of the row's number.
    private static func fraction(_ number: Int) -> Double {
        var state = UInt64(number) &+ 1
        state = state &* 0x9E37_79B9_7F4A_7C15
        state = (state ^ (state >> 30)) &* 0xBF58_476D_1CE4_E5B9
        state = (state ^ (state >> 27)) &* 0x94D0_49BB_1331_11EB
        state ^= state >> 31
        return Double(state >> 11) * 0x1p-53
    }
}

extension RecordedRow {
    package func encode(_ shape: RecordShape) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(shape.rowByteCount)
        bytes.appendLittleEndian(targetLoss.bitPattern)
        bytes.appendLittleEndian(remainder.bitPattern)
        for entry in top + sample {
            if shape.tokenByteCount == 2 {
                bytes.appendLittleEndian(UInt16(truncatingIfNeeded: entry.token))
            } else {
                bytes.appendLittleEndian(UInt32(truncatingIfNeeded: entry.token))
            }
        }
        for entry in top + sample { bytes.appendLittleEndian(entry.level) }
        return bytes
    }

    /// - Parameter bytes: `shape.rowByteCount` of them.
    /// - Returns: `nil` when they break rule RR-06.
    package init?(parsing bytes: RawSpan, _ shape: RecordShape) {
        precondition(bytes.byteCount == shape.rowByteCount, "a row of a record has a fixed size")
        targetLoss = Float(bitPattern: bytes.loadLittleEndian(0))
        remainder = Float(bitPattern: bytes.loadLittleEndian(4))
        guard targetLoss.isFinite, targetLoss >= 0, remainder >= 0, remainder <= 1.001 else { return nil }
        func entry(_ index: Int) -> Entry {
            let token: Int =
                shape.tokenByteCount == 2
                ? Int(bytes.loadLittleEndian(shape.tokenStart + 2 * index, as: UInt16.self))
                : Int(bytes.loadLittleEndian(shape.tokenStart + 4 * index, as: UInt32.self))
            return Entry(token: token, level: bytes.loadLittleEndian(shape.levelStart + 2 * index))
        }
        top = (0..<shape.topCount).map(entry)
        sample = (shape.topCount..<shape.entryCount).map(entry)
        guard top.allSatisfy({ $0.token < shape.vocabulary }), sample.allSatisfy({ $0.token < shape.vocabulary }),
            zip(top, top.dropFirst()).allSatisfy({ $0.level <= $1.level })
        else { return nil }
    }
}
