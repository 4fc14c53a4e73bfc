import Dispatch
import Kernels
import Synchronization
public import TensorFiles

/// What each tensor would lose by each type, and what it would cost: measured, once, on the weights themselves.
public struct ErrorTable: Sendable {
    public struct Choice: Sendable, Hashable {
        public let type: ElementType
        public let byteCount: Int
        /// The error of the matrix's output, as far as its inputs are known, over Σ importance · w²: Σ importance ·
        /// (w − w')² with the mean squares of the inputs as importance, and with feedback what that knows beside.
        public let relativeError: Double
        /// `relativeError` times how much the class of tensor matters to the model's output.
        public let cost: Double

        package init(type: ElementType, byteCount: Int, relativeError: Double, cost: Double) {
            self.type = type
            self.byteCount = byteCount
            self.relativeError = relativeError
            self.cost = cost
        }
    }

    public struct Row: Sendable {
        public let subject: QuantizationSubject
        /// From the smallest to the largest.
        public let choices: [Choice]

        package init(subject: QuantizationSubject, choices: [Choice]) {
            self.subject = subject
            self.choices = choices
        }
    }

    public let rows: [Row]

    public init(rows: [Row]) { self.rows = rows }

    /// Types worth choosing from, smallest first.
    public static let types: [ElementType] = [.q2_K, .q3_K, .iq4_XS, .q4_K, .q5_K, .q6_K, .q8_0, .f16]

    /// At most this many elements of a tensor are measured, in rows spread evenly over it.
    static let sampleLimit = 1 << 21

    /// Measures every subject. `tensor` gives the weights as they will be written, rows in the same order.
    public static func measure(
        _ subjects: [QuantizationSubject], importance: ImportanceMatrix?, types: [ElementType] = types,
        threads: Int, progress: ProgressHandler? = nil,
        tensor: @escaping @Sendable (QuantizationSubject) throws -> Tensor
    ) throws -> ErrorTable {
        let chosen = subjects.filter { $0.kind != .protected }
        let sensitivity = Sensitivity(
            isTied: !subjects.contains { $0.kind == .output }, measured: importance?.sensitivities ?? [:])
        let total = chosen.reduce(0) { $0 + $1.elementCount }
        // The largest first, so that threads end together.
        let order = chosen.indices.sorted { (chosen[$1].elementCount, $0) < (chosen[$0].elementCount, $1) }
        let results = Mutex<(rows: [Int: Row], next: Int, done: Int, failure: (any Error)?)>(([:], 0, 0, nil))
        DispatchQueue.concurrentPerform(iterations: max(1, threads)) { _ in
            while true {
                let index = results.withLock { state -> Int? in
                    guard state.failure == nil, state.next < order.count else { return nil }
                    state.next += 1
                    return order[state.next - 1]
                }
                guard let index else { return }
                do {
                    let subject = chosen[index]
                    let row = try measure(subject, tensor(subject), importance, types, sensitivity)
                    let done = results.withLock { state in
                        state.rows[index] = row
                        state.done += subject.elementCount
                        return state.done
                    }
                    progress?(Progress(stage: "measuring", completed: 4 * done, total: 4 * total, unit: .bytes))
                } catch {
                    results.withLock { $0.failure = $0.failure ?? error }
                }
            }
        }
        return try results.withLock { state in
            if let failure = state.failure { throw failure }
            return ErrorTable(rows: chosen.indices.compactMap { state.rows[$0] })
        }
    }

    private static func measure(
        _ subject: QuantizationSubject, _ tensor: Tensor, _ importance: ImportanceMatrix?, _ types: [ElementType],
        _ sensitivity: Sensitivity
    ) throws -> Row {
        let length = tensor.rowLength
        let wanted = max(1, sampleLimit / max(1, length))
        let stride = max(1, (tensor.rowCount + wanted - 1) / wanted)
        let sampled = Array(Swift.stride(from: 0, to: tensor.rowCount, by: stride))
        let feedback =
            tensor.shape.count == 2 ? try importance?.feedback(of: subject.name, columns: length) : nil
        let together = feedback == nil ? 1 : 8
        var sums: [ElementType: BlockCodec.RowError] = [:]
        let candidates = TypeChooser.candidates(subject, types)
        for first in Swift.stride(from: 0, to: sampled.count, by: together) {
            var values: [Float] = []
            for row in sampled[first..<min(first + together, sampled.count)] {
                values += try TensorEncoder.finiteFloats(tensor, rows: row..<row + 1, replacesNonfinite: true).values
            }
            let expert = TensorEncoder.expert(of: sampled[first], in: tensor.shape)
            let weights = importance?.weights(of: subject.name, expert: expert) ?? []
            for type in candidates {
                let own = importance?.weights(of: subject.name, expert: expert, for: type) ?? []
                let bytes = try BlockCodec.encode(
                    type, .search, values, rowLength: length, importance: own, feedback: feedback)
                let decoded = try BlockCodec.decode(type, unsafe bytes.span.bytes, count: values.count)
                let rows = BlockCodec.error(of: decoded, against: values, rowLength: length, importance: weights)
                sums[type, default: .init()].error +=
                    feedback?.error(of: decoded, against: values) ?? rows.error
                sums[type, default: .init()].energy += rows.energy
            }
        }
        let choices = candidates.compactMap { type -> Choice? in
            guard let row = type.byteCount(elements: length), let sum = sums[type] else { return nil }
            let relative = sum.energy > 0 ? sum.error / sum.energy : 0
            return Choice(
                type: type, byteCount: row * tensor.rowCount, relativeError: relative,
                cost: relative * sensitivity.factor(subject))
        }
        return Row(subject: subject, choices: choices.sorted { ($0.byteCount, $0.cost) < ($1.byteCount, $1.cost) })
    }
}
