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
    /// The second moments that GPTQ works with.
    private let moments: (@Sendable () throws -> [Float])?
    private let name: String
    private let work: QuantizationWork
    private let fieldCount: Int
    private let factor = Mutex<HessianFactor?>(nil)
    private let kept = Mutex(Kept())

    /// [rows, groups] each, and which rows are there.
    private struct Kept {
        var scales: [Float] = []
        var offsets: [Float] = []
        var isThere: [Bool] = []
        /// How many rows of fields have been handed out.
        var handed = 0
    }

    /// - Parameters:
    ///   - name: of the tensor in reports and messages.
    ///   - moments: columns × columns, for GPTQ.
    init(
        _ tensor: Tensor, _ format: GroupFormat, method: BlockMethod, importance: [Float], name: String,
        work: QuantizationWork, moments: (@Sendable () throws -> [Float])?
    ) {
        self.tensor = tensor
        self.format = format
        self.method = method
        self.importance = importance
        self.moments = moments
        self.name = name
        self.work = work
        groups = format.groups(inRowOf: tensor.rowLength) ?? 1
        fieldCount = format.kind == .symmetric ? 1 : 2
    }

    /// Bytes of memory that encoding a row takes beside its source.
    var rowBytes: Int { tensor.rowByteCount + (moments == nil ? 2 : 4) * 4 * tensor.rowLength }
    /// Bytes kept while the matrix is written.
    var keptBytes: Int {
        tensor.rowCount * groups * 8
            + (moments == nil ? 0 : HessianFactor.workBytes(columns: tensor.rowLength))
    }

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
        let factor = try factorIfNeeded()
        // A few rows at a time, so that the floats between stay in the processor's cache; eight are searched at once.
        let step = factor == nil ? max(8, 32_768 / max(1, length)) : rows.count
        for start in stride(from: rows.lowerBound, to: rows.upperBound, by: max(1, step)) {
            let run = start..<min(rows.upperBound, start + step)
            let read = try TensorEncoder.finiteFloats(tensor, rows: run, replacesNonfinite: work.replacesNonfinite)
            let encoded =
                if let factor {
                    try GroupCodec.encodeSequentially(
                        format, read.values, columns: length, upper: factor.upper, weights: factor.weights)
                } else {
                    try GroupCodec.encode(
                        format, method == .nearest ? .nearest : .search, read.values, rowLength: length,
                        importance: importance)
                }
            if isCounted {
                work.tally.add(replaced: read.replaced)
                if work.measures { measure(encoded, read.values, firstRow: start) }
            }
            result.append(encoded)
        }
        tensor.source.release(rows: rows, rowByteCount: tensor.rowByteCount)
        return result
    }

    private func measure(_ encoded: EncodedGroups, _ values: [Float], firstRow: Int) {
        let decoded = GroupCodec.decode(format, encoded, rowLength: tensor.rowLength)
        let error = BlockCodec.error(
            of: decoded, against: values, rowLength: tensor.rowLength, importance: importance)
        work.tally.add(error, of: name, firstRow: firstRow)
    }

    /// GPTQ's factor, made by whoever needs it first.
    func factorIfNeeded() throws -> HessianFactor? {
        guard let moments else { return nil }
        return try factor.withLock { factor in
            if let factor { return factor }
            let made = try HessianFactor(moments(), columns: tensor.rowLength, tensor: name)
            factor = made
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
                letGoOfFactor()
            }
            return result
        }
    }

    func letGoOfFactor() { factor.withLock { $0 = nil } }
}
