public import Kernels
public import TensorFiles

/// Rows of one tensor in another type, any rows at a time: a row's bytes depend on that row alone.
public struct TensorEncoder: Sendable {
    public let tensor: Tensor
    public let type: ElementType
    public let method: BlockCodec.Method
    /// Weights of the columns for each expert; one list for a plain matrix, none when all columns count alike.
    public private(set) var weights: [[Float]]
    /// NaN and infinities become 0 instead of an error.
    public let replacesNonfinite: Bool
    /// What codes are chosen against beside `weights`.
    public let source: FeedbackSource?
    /// The same, made by `prepare`.
    private var feedback: ErrorFeedback?

    /// Grows when the same tensor and the same calibration come to other bytes, so that no interrupted run of another
    /// release is gone on with.
    public static let revision = 2

    /// - Parameters:
    ///   - hessians: what the method GPTQ needs.
    ///   - name: of the tensor in GGUF.
    public init(
        _ tensor: Tensor, to type: ElementType, method: BlockMethod, importance: ImportanceMatrix? = nil,
        hessians: HessianStore? = nil, name: String, replacesNonfinite: Bool = false
    ) throws(QuantizationError) {
        let preferred: BlockCodec.Method = method == .nearest ? .nearest : .search
        self.method = BlockCodec.canEncode(type, preferred) ? preferred : .search
        guard BlockCodec.canEncode(type, self.method) else { throw .unwritableType(type.rawValue) }
        self.tensor = tensor
        self.type = type
        self.replacesNonfinite = replacesNonfinite
        let experts = tensor.shape.count > 2 ? tensor.shape[0] : 1
        weights = (0..<experts).map { importance?.weights(of: name, expert: $0, for: type) ?? [] }
        let isBlockMatrix = self.method == .search && type.isQuantized && tensor.shape.count == 2
        source =
            isBlockMatrix
            ? FeedbackSource(
                of: name, columns: tensor.rowLength, method: method, importance: importance, hessians: hessians) : nil
    }

    /// Makes ready what all rows share.
    public mutating func prepare() throws {
        feedback = try source?.make()
        // Second moments may be there without an importance matrix.
        if let feedback, weights == [[]] { weights = [feedback.diagonal] }
    }

    /// Rows are best encoded in multiples of this.
    public var rowMultiple: Int { source == nil ? 1 : 8 }

    /// What encoding rows found and made.
    public struct Rows: Sendable {
        public var bytes: [UInt8]
        /// How many NaN and infinities became 0.
        public var replaced: Int
    }

    public func encode(rows: Range<Int>) throws -> Rows {
        var result = Rows(bytes: [], replaced: 0)
        result.bytes.reserveCapacity(rows.count * (type.byteCount(elements: tensor.rowLength) ?? 0))
        // A few rows at a time, so that the floats between stay in the processor's cache; with whole second moments all,
        // so that those are read once.
        let few = max(1, 32_768 / max(1, rowMultiple * tensor.rowLength)) * rowMultiple
        let step = feedback?.isWhole == true ? rows.count : few
        var start = rows.lowerBound
        while start < rows.upperBound {
            let expert = Self.expert(of: start, in: tensor.shape)
            let end = min(rows.upperBound, start + step, Self.end(ofExpert: expert, in: tensor))
            let read = try Self.finiteFloats(tensor, rows: start..<end, replacesNonfinite: replacesNonfinite)
            result.replaced += read.replaced
            result.bytes += try BlockCodec.encode(
                type, method, read.values, rowLength: tensor.rowLength,
                importance: weights[min(expert, weights.count - 1)], feedback: feedback)
            start = end
        }
        return result
    }

    /// What rows lost as `encode` wrote them: the error of the matrix's output, as far as the inputs are known, and
    /// Σ importance · w².
    public func error(of bytes: [UInt8], rows: Range<Int>) throws -> BlockCodec.RowError {
        let values = try Self.finiteFloats(tensor, rows: rows, replacesNonfinite: true).values
        let decoded = try BlockCodec.decode(type, unsafe bytes.span.bytes, count: values.count)
        var error = BlockCodec.error(
            of: decoded, against: values, rowLength: tensor.rowLength,
            importance: weights.count == 1 ? weights[0] : [])
        if let feedback { error.error = feedback.error(of: decoded, against: values) }
        return error
    }

    /// The expert that a row of a stack of matrices belongs to.
    static func expert(of row: Int, in shape: [Int]) -> Int {
        guard shape.count > 2 else { return 0 }
        return row / max(1, shape[1..<shape.count - 1].reduce(1, *))
    }

    private static func end(ofExpert expert: Int, in tensor: Tensor) -> Int {
        guard tensor.shape.count > 2 else { return tensor.rowCount }
        return (expert + 1) * tensor.shape[1..<tensor.shape.count - 1].reduce(1, *)
    }

    /// The values of rows; QP-04 for one that is no number, unless such are to be replaced by 0.
    package static func finiteFloats(
        _ tensor: Tensor, rows: Range<Int>, replacesNonfinite: Bool
    ) throws -> (values: [Float], replaced: Int) {
        var values = try tensor.floats(rows: rows)
        guard let first = BlockCodec.firstNonfinite(values) else { return (values, 0) }
        guard replacesNonfinite else {
            throw QuantizationError.nonfinite(
                tensor: tensor.name, row: rows.lowerBound + first / tensor.rowLength,
                column: first % tensor.rowLength, value: values[first].isNaN ? "NaN" : "infinite")
        }
        var replaced = 0
        for index in first..<values.count where !values[index].isFinite {
            values[index] = 0
            replaced += 1
        }
        return (values, replaced)
    }
}
