import Kernels
import ModelGraph
import Runtime

/// The residual stream of a few tokens, before the first block and after each: [layers, tokens, width].
struct HiddenStates: Sendable, Equatable {
    /// Blocks and one; the first is the embedded rows.
    let layers: Int
    let tokens: Int
    let width: Int
    let values: [Float]

    /// Keeps what passes by.
    private final class Recorder: ForwardObserver {
        var values: [Float] = []
        var layers = 0

        func hidden(after block: Int?, _ rows: BufferRows) {
            for row in 0..<rows.count {
                rows.withRow(row) { span in for index in span.indices { values.append(span[index]) } }
            }
            layers += 1
        }
    }

    static func record(
        _ tokens: [Int], _ model: Transformer, cache: KeyValueStore.Precision
    ) throws -> HiddenStates {
        let recorder = Recorder()
        let sequence = try TokenSequence(model, capacity: tokens.count, precision: cache)
        try sequence.forward(Row.chain(tokens), observer: recorder)
        return HiddenStates(
            layers: recorder.layers, tokens: tokens.count, width: model.configuration.hiddenSize,
            values: recorder.values)
    }

    /// Where in the depth of a model two versions of it part; empty for models of different shapes.
    static func differences(_ reference: HiddenStates, _ candidate: HiddenStates) -> [LayerDifference] {
        guard reference.layers == candidate.layers, reference.tokens == candidate.tokens,
            reference.width == candidate.width
        else { return [] }
        let width = reference.width
        return (0..<reference.layers).map { layer in
            var (error, energy, cosines) = (0.0, 0.0, 0.0)
            for row in layer * reference.tokens..<(layer + 1) * reference.tokens {
                var (dot, leftEnergy, rightEnergy) = (0.0, 0.0, 0.0)
                for index in row * width..<(row + 1) * width {
                    let (a, b) = (Double(reference.values[index]), Double(candidate.values[index]))
                    dot += a * b
                    leftEnergy += a * a
                    rightEnergy += b * b
                    error += (a - b) * (a - b)
                }
                energy += leftEnergy
                cosines += dot / max((leftEnergy * rightEnergy).squareRoot(), 1e-30)
            }
            return LayerDifference(
                layer: layer - 1, relativeError: (error / max(energy, 1e-30)).squareRoot(),
                cosine: cosines / Double(max(1, reference.tokens)))
        }
    }
}
