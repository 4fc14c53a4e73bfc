import Kernels
import Quantization
import Synchronization
import TensorFiles

/// A matrix on its way into codes and scales, which go to different tensors of the output: scales found with a row's
/// codes are kept until their own tensors are written. Whatever is missing, in a resumed run or another part, is found
/// again, for a row's result depends on that row alone.
final class GroupedMatrix: Sendable {
    enum Field { case scales, offsets }

    let tensor: Tensor
    let format: GroupFormat
    /// Groups in a row.
    let groups: Int
    private let method: BlockMethod
    /// Weights of the columns; empty when all count alike.
    private let importance: [Float]
    /// What codes are chosen against beside the columns' weights.
    private let source: FeedbackSource?
    private let name: String
    private let work: QuantizationWork
    private let fieldCount: Int
    private let made = Mutex<ErrorFeedback?>(nil)
    private let kept = Mutex(Kept())

    /// [rows, groups] each, and which rows are there.
    private struct Kept {
        var scales: [Float] = []
        var offsets: [Float] = []
        var isThere: [Bool] = []
        /// How many rows of fields have been handed out.
        var handed = 0
    }

    /// - Parameter name: of the tensor in reports and messages.
    init(
        _ tensor: Tensor, _ format: GroupFormat, method: BlockMethod, importance: [Float], name: String,
        source: FeedbackSource?, work: QuantizationWork
    ) {
        self.tensor = tensor
        self.format = format
        self.method = method
        self.importance = importance
        self.source = source
        self.name = name
        self.work = work
        groups = format.groups(inRowOf: tensor.rowLength) ?? 1
        fieldCount = format.kind == .symmetric ? 1 : 2
    }

    /// Bytes of memory that encoding a row takes beside its source.
    var rowBytes: Int { tensor.rowByteCount + 8 * tensor.rowLength + (source?.rowBytes ?? 0) }
    /// Bytes kept while the matrix is written.
    var keptBytes: Int { tensor.rowCount * groups * 8 + (source?.byteCount ?? 0) }

    /// The codes of rows; their scales are kept.
    func codes(_ rows: Range<Int>) throws -> [UInt8] {
        let encoded = try encode(rows, isCounted: true)
        keep(encoded, rows)
        return encoded.codes
    }

    /// A field of rows, rows × groups. Each is asked for once, then it is let go.
    func field(_ field: Field, _ rows: Range<Int>) throws -> [Float] {
        if let found = take(field, rows) { return found }
        keep(try encode(rows, isCounted: false), rows)
        return take(field, rows) ?? []
    }

    /// Codes and scales of rows.
    func encode(_ rows: Range<Int>, isCounted: Bool) throws -> EncodedGroups {
        var result = EncodedGroups()
        let length = tensor.rowLength
        let feedback = try feedbackIfNeeded()
        // A few rows at a time, so that the floats between stay in the processor's cache; eight are searched at once.
        let few = max(8, 32_768 / max(1, length) / 8 * 8)
        let step = feedback?.isWhole == true ? rows.count : few
        for start in stride(from: rows.lowerBound, to: rows.upperBound, by: max(1, step)) {
            let run = start..<min(rows.upperBound, start + step)
            let read = try TensorEncoder.finiteFloats(tensor, rows: run, replacesNonfinite: work.replacesNonfinite)
            let encoded = try GroupCodec.encode(
                format, method == .nearest ? .nearest : .search, read.values, rowLength: length,
                importance: importance,
                feedback: feedback)
            if isCounted {
                work.tally.add(replaced: read.replaced)
                if work.measures { measure(encoded, read.values, feedback, firstRow: start) }
            }
            result.append(encoded)
        }
        tensor.source.release(rows: rows, rowByteCount: tensor.rowByteCount)
        return result
    }

    private func measure(
        _ encoded: EncodedGroups, _ values: [Float], _ feedback: ErrorFeedback?, firstRow: Int
    ) {
        let decoded = GroupCodec.decode(format, encoded, rowLength: tensor.rowLength)
        var error = BlockCodec.error(
            of: decoded, against: values, rowLength: tensor.rowLength,
            importance: importance.isEmpty ? feedback?.diagonal ?? [] : importance)
        if let feedback { error.error = feedback.error(of: decoded, against: values) }
        work.tally.add(error, of: name, firstRow: firstRow)
    }

    /// Made by whoever needs it first.
    func feedbackIfNeeded() throws -> ErrorFeedback? {
        guard let source else { return nil }
        return try made.withLock { made in
            if let made { return made }
            made = try source.make()
            return made
        }
    }

    private func keep(_ encoded: EncodedGroups, _ rows: Range<Int>) {
        kept.withLock { kept in
            if kept.isThere.isEmpty {
                kept.isThere = [Bool](repeating: false, count: tensor.rowCount)
                kept.scales = [Float](repeating: 0, count: tensor.rowCount * groups)
                if fieldCount > 1 { kept.offsets = kept.scales }
            }
            let range = rows.lowerBound * groups..<rows.upperBound * groups
            kept.scales.replaceSubrange(range, with: encoded.scales)
            if fieldCount > 1 { kept.offsets.replaceSubrange(range, with: encoded.offsets) }
            for row in rows { kept.isThere[row] = true }
        }
    }

    private func take(_ field: Field, _ rows: Range<Int>) -> [Float]? {
        kept.withLock { kept in
            guard !kept.isThere.isEmpty, kept.isThere[rows].allSatisfy({ $0 }) else { return nil }
            let values = field == .scales ? kept.scales : kept.offsets
            let result = Array(values[rows.lowerBound * groups..<rows.upperBound * groups])
            kept.handed += rows.count
            if kept.handed == fieldCount * tensor.rowCount {
                kept = Kept()
                letGoOfFeedback()
            }
            return result
        }
    }

    func letGoOfFeedback() { made.withLock { $0 = nil } }
}
