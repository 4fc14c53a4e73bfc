public import Kernels
public import ModelGraph
import Synchronization
public import TensorFiles

/// Compares weights of equal roles, both decoded, streaming rows: what each type cost, and which tensor is wrong.
public struct TensorComparison: Sendable {
    public let role: TensorRole
    public let difference: TensorDifference
    /// The candidate's energy over the reference's: 0 for a tensor of zeros.
    public let energyRatio: Double
    /// Correlation of the two tensors' elements: near 1 for a quantized copy, near 0 for another model's weights.
    public let correlation: Double

    /// Roles of one block stand together, the model's own tensors first.
    public static func run(
        reference: ModelGraph, candidate: ModelGraph, pool: WorkerPool, progress: ProgressHandler? = nil
    ) throws -> [TensorComparison] {
        let roles = reference.tensors.keys.filter { candidate.tensors[$0] != nil }.sorted { left, right in
            (left.block ?? -1, left.part.rawValue) < (right.block ?? -1, right.part.rawValue)
        }
        let total = roles.reduce(0) { $0 + (candidate.tensors[$1]?.byteCount ?? 0) }
        let state = Mutex<(results: [TensorComparison?], done: Int, failure: (any Error)?)>(
            (Array(repeating: nil, count: roles.count), 0, nil))
        pool.run(roles.count) { index in
            guard let expected = reference.tensors[roles[index]], let found = candidate.tensors[roles[index]] else {
                return
            }
            let result = Result { try compare(roles[index], expected, found) }
            let done = state.withLock { state in
                switch result {
                case .success(let comparison): state.results[index] = comparison
                case .failure(let error): state.failure = state.failure ?? error
                }
                state.done += found.byteCount
                return state.done
            }
            progress?(Progress(stage: "comparing tensors", completed: done, total: total, unit: .bytes))
        }
        return try state.withLock { state in
            if let failure = state.failure { throw failure }
            return state.results.compactMap { $0 }
        }
    }

    /// - Returns: `nil` for tensors of different shapes or of types that are no numbers.
    static func compare(_ role: TensorRole, _ expected: Tensor, _ found: Tensor) throws -> TensorComparison? {
        guard expected.rowLength == found.rowLength, expected.rowCount == found.rowCount,
            BlockCodec.canDecode(expected.type), BlockCodec.canDecode(found.type)
        else { return nil }
        var sums = Sums()
        let step = max(1, 65_536 / max(1, expected.rowLength))
        var start = 0
        while start < expected.rowCount {
            let rows = start..<min(expected.rowCount, start + step)
            sums.add(try expected.floats(rows: rows), try found.floats(rows: rows))
            // What was compared must not count as memory of the models that are run next.
            expected.source.release(rows: rows, rowByteCount: expected.rowByteCount)
            found.source.release(rows: rows, rowByteCount: found.rowByteCount)
            start = rows.upperBound
        }
        let difference = TensorDifference(
            name: expected.name, referenceType: expected.type.rawValue, type: found.type.rawValue,
            bytes: found.byteCount, bitsPerWeight: Double(found.byteCount) * 8 / Double(max(1, found.elementCount)),
            relativeError: (sums.error / max(sums.left, 1e-300)).squareRoot())
        return TensorComparison(
            role: role, difference: difference, energyRatio: sums.right / max(sums.left, 1e-300),
            correlation: sums.product / max((sums.left * sums.right).squareRoot(), 1e-300))
    }

    private struct Sums {
        var (left, right, product, error) = (0.0, 0.0, 0.0, 0.0)

        mutating func add(_ a: [Float], _ b: [Float]) {
            for index in a.indices {
                let (x, y) = (Double(a[index]), Double(b[index]))
                left += x * x
                right += y * y
                product += x * y
                error += (x - y) * (x - y)
            }
        }
    }
}
