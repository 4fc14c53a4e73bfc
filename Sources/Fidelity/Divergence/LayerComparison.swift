public import Kernels
import ModelGraph
public import Runtime

/// Where in the depth of a model two versions of it part: the hidden state after each block, row by row.
public enum LayerComparison {
    /// Keeps what passes by. Rows of the embedded tokens come first (block -1).
    private final class Recorder: ForwardObserver {
        var states: [(layer: Int, values: [Float])] = []
        var width = 0

        func hidden(after block: Int?, _ rows: BufferRows) {
            var values: [Float] = []
            values.reserveCapacity(rows.count * rows.width)
            for row in 0..<rows.count {
                rows.withRow(row) { span in for index in span.indices { values.append(span[index]) } }
            }
            width = rows.width
            states.append((block ?? -1, values))
        }
    }

    /// Feeds the same tokens (a few dozen say enough) to both models.
    public static func run(
        tokens: [Int], reference: Transformer, candidate: Transformer, cache: KeyValueStore.Precision
    ) throws -> [LayerDifference] {
        let expected = try record(tokens, reference, cache)
        let found = try record(tokens, candidate, cache)
        return zip(expected.states, found.states).compactMap { left, right in
            guard left.layer == right.layer, left.values.count == right.values.count else { return nil }
            return difference(left.layer, left.values, right.values, width: expected.width)
        }
    }

    private static func record(
        _ tokens: [Int], _ model: Transformer, _ cache: KeyValueStore.Precision
    ) throws -> Recorder {
        let recorder = Recorder()
        let sequence = try TokenSequence(model, capacity: tokens.count, precision: cache)
        try sequence.forward(Row.chain(tokens), observer: recorder)
        return recorder
    }

    private static func difference(
        _ layer: Int, _ left: [Float], _ right: [Float], width: Int
    ) -> LayerDifference {
        var error = 0.0
        var energy = 0.0
        var cosines = 0.0
        let rows = left.count / max(1, width)
        for row in 0..<rows {
            var (dot, leftEnergy, rightEnergy) = (0.0, 0.0, 0.0)
            for index in row * width..<(row + 1) * width {
                let (a, b) = (Double(left[index]), Double(right[index]))
                dot += a * b
                leftEnergy += a * a
                rightEnergy += b * b
                error += (a - b) * (a - b)
            }
            energy += leftEnergy
            cosines += dot / max((leftEnergy * rightEnergy).squareRoot(), 1e-30)
        }
        return LayerDifference(
            layer: layer, relativeError: (error / max(energy, 1e-30)).squareRoot(),
            cosine: cosines / Double(max(1, rows)))
    }
}
