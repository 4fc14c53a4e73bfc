import Foundation
import Kernels
import ModelGraph
import Runtime
import Synchronization
import TensorFiles

/// Runs a candidate over the text of a reference's record, a few rows at a time: memory does not grow with the text.
struct DivergenceMeasurement {
    let record: ReferenceRecord
    let model: Transformer
    /// How the candidate holds keys and values; as the reference did.
    let cache: KeyValueStore.Precision

    /// - Parameter windows: at most so many of the record's; all when `nil`.
    func run(windows limit: Int? = nil, progress: ProgressHandler? = nil) throws -> DivergenceSample {
        var sample = DivergenceSample(context: record.context)
        let sequence = try TokenSequence(model, capacity: record.context, precision: cache)
        let chunk = WindowPass.chunk(vocabulary: record.shape.vocabulary)
        let count = min(record.windowCount, limit ?? .max)
        let total = count * record.context
        var done = 0
        for index in 0..<count {
            let window = try record.window(index)
            try WindowPass.run(window, on: sequence, chunk: chunk) { fed, scored, logits in
                if let logits {
                    let expected = try record.rows(scored, of: index)
                    let targets = scored.map { window.tokens[$0 + 1] }
                    let compared = compare(expected, logits, targets)
                    for (row, comparison) in compared.enumerated() {
                        let place = scored.lowerBound + row
                        sample.add(comparison, at: place)
                        sample.note(comparison, at: window.start + place + 1) {
                            (expected[row], logits.withRow(row) { WorstPlace.choices($0) })
                        }
                    }
                }
                done += fed
                progress?(Progress(stage: "comparing", completed: done, total: total, unit: .tokens))
            }
        }
        return sample
    }

    private func compare(_ expected: [RecordedRow], _ found: LogitRows, _ targets: [Int]) -> [RowComparison] {
        let results = Mutex([RowComparison?](repeating: nil, count: targets.count))
        model.pool.run(targets.count) { row in
            let result = found.withRow(row) { candidate in
                RowComparer.compare(expected[row], candidate: candidate, target: targets[row])
            }
            results.withLock { $0[row] = result }
        }
        return results.withLock { $0.compactMap { $0 } }
    }
}
