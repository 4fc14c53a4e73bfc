import Dispatch
import Kernels
import Synchronization
import TensorFiles

/// A grouped matrix turned on its side, as GPTQ stores it: all of its rows are needed for any row of words, so it is
/// encoded whole, by all threads, and kept until its tensors are written.
final class TransposedMatrix: Sendable {
    private let grouped: GroupedMatrix
    private let threads: Int
    private let state = Mutex(State())

    private struct State {
        var whole: EncodedGroups?
        var handed = 0
    }

    init(_ grouped: GroupedMatrix, threads: Int) {
        self.grouped = grouped
        self.threads = max(1, threads)
    }

    private var outputs: Int { grouped.tensor.rowCount }
    /// Bytes that the matrix takes while it is kept.
    var byteCount: Int {
        outputs * (grouped.format.codeBytes(inRowOf: grouped.tensor.rowLength) + 8 * grouped.groups)
    }

    /// Encodes the matrix unless it is there.
    func prepare() throws { _ = try whole() }

    private func whole() throws -> EncodedGroups {
        try state.withLock { state in
            if let whole = state.whole { return whole }
            _ = try grouped.feedbackIfNeeded()
            let step = max(8, (1 << 18) / max(1, grouped.tensor.rowLength) / 8 * 8)
            let count = (outputs + step - 1) / step
            let pieces = Mutex<[Int: Result<EncodedGroups, any Error>]>([:])
            let next = Atomic(0)
            DispatchQueue.concurrentPerform(iterations: min(threads, count)) { _ in
                while true {
                    let index = next.wrappingAdd(1, ordering: .relaxed).oldValue
                    guard index < count else { return }
                    let rows = index * step..<min(outputs, (index + 1) * step)
                    let piece = Result { try grouped.encode(rows, isCounted: true) }
                    pieces.withLock { $0[index] = piece }
                }
            }
            var whole = EncodedGroups()
            let made = pieces.withLock { $0 }
            for index in 0..<count { if let piece = made[index] { whole.append(try piece.get()) } }
            state.whole = whole
            return whole
        }
    }

    /// Lets go of the matrix when the last of its tensors' rows is made.
    private func hand(_ rows: Int) {
        let all = grouped.tensor.rowLength / 8 + 2 * grouped.groups
        state.withLock { state in
            state.handed += rows
            guard state.handed >= all else { return }
            state = State()
            grouped.letGoOfFeedback()
        }
    }

    /// Rows of `qweight`: word w of every output, inputs 8w to 8w + 7.
    func words(_ rows: Range<Int>) throws -> [UInt8] {
        let whole = try whole()
        let rowBytes = grouped.format.codeBytes(inRowOf: grouped.tensor.rowLength)
        var result = [UInt8](repeating: 0, count: rows.count * outputs * 4)
        for output in 0..<outputs {
            for row in rows {
                let source = output * rowBytes + row * 4
                let target = ((row - rows.lowerBound) * outputs + output) * 4
                for byte in 0..<4 { result[target + byte] = whole.codes[source + byte] }
            }
        }
        hand(rows.count)
        return result
    }

    /// Rows of `qzeros`: the zero points of a group, eight outputs to a word.
    func zeros(_ rows: Range<Int>) throws -> [UInt8] {
        let whole = try whole()
        var result: [UInt8] = []
        for row in rows {
            for output in stride(from: 0, to: outputs, by: 2) {
                let low = UInt8(whole.offsets[output * grouped.groups + row])
                result.append(low | UInt8(whole.offsets[(output + 1) * grouped.groups + row]) << 4)
            }
        }
        hand(rows.count)
        return result
    }

    /// Rows of `scales`.
    func scales(_ rows: Range<Int>) throws -> [UInt8] {
        let whole = try whole()
        let values = rows.flatMap { row in
            (0..<outputs).map { whole.scales[$0 * grouped.groups + row] }
        }
        hand(rows.count)
        return try BlockCodec.encode(grouped.format.scaleType, .nearest, values, rowLength: outputs)
    }
}
