import Foundation
import Kernels
import ModelGraph
import Quantization
import TensorFiles

/// How much each class of matrix matters to what a model says: the divergence that coarser weights of that class alone
/// cause, over the sum of their relative output errors. What `--size` weighs errors with: formats/recipe.md.
///
/// Divergence and squared error grow together while errors are small, so one coarseness stands for all types.
struct SensitivityMeasurement {
    let model: LanguageModel
    let architecture: Architecture
    let importance: ImportanceMatrix

    /// Logits of a token take 4 bytes for each entry of the vocabulary; this many of them are kept.
    private static let referenceBytes = 96 << 20
    private static let tokenLimit = 1024

    /// - Parameter windows: rows of tokens, of which the first are used, about a thousand tokens.
    func run(_ windows: [[Int]], progress: ProgressHandler? = nil) throws -> [QuantizationSubject.Class: Double] {
        let vocabulary = model.configuration.vocabularySize
        var left = min(Self.tokenLimit, max(32, Self.referenceBytes / (4 * vocabulary)))
        var chosen: [[Int]] = []
        for window in windows where left > 0 {
            chosen.append(Array(window.prefix(left)))
            left -= window.count
        }
        let reference = try logits(model.transformer, chosen)
        var result: [QuantizationSubject.Class: Double] = [:]
        let classes = Dictionary(grouping: model.graph.roles) { subject($0)?.kind ?? .protected }
            .filter { $0.key != .protected }.sorted { $0.key.rawValue < $1.key.rawValue }
        for (index, (kind, roles)) in classes.enumerated() {
            progress?(Progress(stage: "weighing classes", completed: index, total: classes.count, unit: .steps))
            var graph = model.graph
            var loss = 0.0
            for role in roles {
                guard let tensor = graph.tensors[role], let subject = subject(role) else { continue }
                let coarse = CoarseSource(tensor: tensor)
                graph.tensors[role] = Tensor(name: tensor.name, shape: tensor.shape, type: .f32, source: coarse)
                loss += try coarse.relativeError(importance: importance.weights(of: subject.name))
            }
            let candidate = try Transformer(
                graph.canonical(), precision: model.transformer.precision, pool: model.transformer.pool)
            let divergence = Self.divergence(reference, try logits(candidate, chosen), width: vocabulary)
            if loss > 0, divergence > 0 { result[kind] = divergence / loss }
        }
        return result
    }

    private func subject(_ role: TensorRole) -> QuantizationSubject? {
        guard let tensor = model.graph.tensors[role], let name = architecture.name(of: role, in: .gguf) else {
            return nil
        }
        return QuantizationSubject(name: name, role: role, shape: tensor.shape, sourceType: tensor.type)
    }

    /// Of every token of every window, one after the other: tokens × vocabulary.
    private func logits(_ transformer: Transformer, _ windows: [[Int]]) throws -> [Float] {
        let longest = windows.map(\.count).max() ?? 1
        let sequence = try TokenSequence(transformer, capacity: longest, precision: .f32)
        var result: [Float] = []
        for window in windows {
            sequence.truncate(to: 0)
            try sequence.forward(Row.chain(window))
            for start in stride(from: 0, to: window.count, by: 64) {
                let rows = try sequence.logits(of: Array(start..<min(start + 64, window.count)))
                for row in 0..<rows.rows {
                    rows.withRow(row) { values in
                        for index in values.indices { result.append(values[index]) }
                    }
                }
            }
        }
        return result
    }

    /// The mean over rows of KL(reference ‖ candidate), nats.
    private static func divergence(_ reference: [Float], _ candidate: [Float], width: Int) -> Double {
        var total = 0.0
        for start in stride(from: 0, to: reference.count, by: width) {
            let row = start..<start + width
            let (top, other) = (reference[row].max() ?? 0, candidate[row].max() ?? 0)
            var (sum, otherSum, cross) = (0.0, 0.0, 0.0)
            for index in row {
                let weight = exp(Double(reference[index] - top))
                sum += weight
                otherSum += exp(Double(candidate[index] - other))
                cross += weight * (Double(reference[index] - top) - Double(candidate[index] - other))
            }
            total += cross / sum - log(sum) + log(otherSum)
        }
        return max(0, total) / Double(max(1, reference.count / width))
    }
}

/// A tensor's rows on a coarse grid: about four bits each, whatever the length of a row.
private struct CoarseSource: TensorSource {
    let tensor: Tensor

    private func coarse(_ values: [Float]) -> [Float] {
        var result = values
        for start in stride(from: 0, to: values.count, by: max(1, tensor.rowLength)) {
            let row = start..<start + tensor.rowLength
            let step = row.reduce(0) { max($0, abs(values[$1])) } / 9
            guard step > 0 else { continue }
            for index in row { result[index] = (values[index] / step).rounded() * step }
        }
        return result
    }

    func withBytes<Result>(
        rows: Range<Int>, rowByteCount: Int, _ body: (RawSpan) throws -> Result
    ) throws -> Result {
        let values = coarse(try tensor.floats(rows: rows))
        return try unsafe body(values.span.bytes)
    }

    func release(rows: Range<Int>, rowByteCount: Int) {
        tensor.source.release(rows: rows, rowByteCount: tensor.rowByteCount)
    }

    /// Σ importance · (w − w')² over Σ importance · w², in rows spread evenly over the tensor.
    func relativeError(importance: [Float]) throws -> Double {
        let weights = importance.count == tensor.rowLength ? importance : []
        let rows = max(1, (1 << 20) / max(1, tensor.rowLength))
        var total = BlockCodec.RowError()
        for row in stride(from: 0, to: tensor.rowCount, by: max(1, tensor.rowCount / rows)) {
            let values = try tensor.floats(rows: row..<row + 1)
            let error = BlockCodec.error(
                of: coarse(values), against: values, rowLength: tensor.rowLength, importance: weights)
            total.error += error.error
            total.energy += error.energy
        }
        return total.energy > 0 ? total.error / total.energy : 0
    }
}
