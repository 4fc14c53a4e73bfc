package import CKernels
public import TensorFiles

extension BlockCodec {
    /// How the codes and scales of a block are chosen.
    public enum Method: String, Sendable, CaseIterable {
        /// The reference rule of ggml, byte for byte: the scale from the largest element.
        case nearest
        /// Scales and minimums that minimise the weighted squared error, by search and least squares.
        case search

        package var number: ft_method { self == .nearest ? FT_NEAREST : FT_SEARCH }
    }

    /// Whether the type can be written with the method. K types and IQ4 have no nearest rule.
    public static func canEncode(_ type: ElementType, _ method: Method) -> Bool {
        guard let number = number(of: type) else { return false }
        return ft_can_encode(number, method.number)
    }

    /// Encodes whole rows of finite floats.
    ///
    /// - Parameters:
    ///   - values: rows × `rowLength` floats.
    ///   - importance: `rowLength` weights of the columns' squared errors; empty when all count alike.
    ///   - feedback: weighs the columns instead, and chooses the codes of blocks anew, against what it knows of the
    ///     inputs.
    /// - Returns: the rows' bytes. They depend on nothing but the rows themselves, the importance and the feedback.
    public static func encode(
        _ type: ElementType, _ method: Method, _ values: [Float], rowLength: Int, importance: [Float] = [],
        feedback: ErrorFeedback? = nil
    ) throws(KernelError) -> [UInt8] {
        guard let number = number(of: type), ft_can_encode(number, method.number) else { throw .unencodable(type) }
        guard rowLength > 0, values.count % rowLength == 0, let rowBytes = type.byteCount(elements: rowLength) else {
            throw .partialBlocks(type, rowLength: rowLength)
        }
        precondition(importance.isEmpty || importance.count == rowLength, "one weight for each column")
        // Where codes are chosen anew, weights hardly move a scale of 8 bits; without them its search is several times as
        // fast.
        let weights = feedback != nil && type == .q8_0 ? [] : normalised(feedback?.weights ?? importance)
        let rows = values.count / rowLength
        var bytes = unsafe [UInt8](unsafeUninitializedCapacity: rows * rowBytes) { target, count in
            let done = unsafe values.withUnsafeBufferPointer { source in
                unsafe weights.withUnsafeBufferPointer { weights in
                    unsafe ft_encode_rows(
                        number, method.number, source.baseAddress, weights.isEmpty ? nil : weights.baseAddress,
                        target.baseAddress, rows, rowLength)
                }
            }
            precondition(done, "the kernels refuse what they offer")
            count = rows * rowBytes
        }
        if let feedback, method == .search, type.isQuantized { try feedback.choose(&bytes, of: type, for: values) }
        return bytes
    }

    /// Weights with mean 1, and none so small that a block of them would have no scale.
    static func normalised(_ importance: [Float]) -> [Float] {
        let sum = importance.reduce(0.0) { $0 + Double($1) }
        guard sum > 0, sum.isFinite else { return [] }
        let factor = Double(importance.count) / sum
        return importance.map { max(Float(Double($0) * factor), 1e-5) }
    }

    /// What a row lost, weighted by the importance of its columns.
    public struct RowError: Sendable, Hashable {
        /// Σ importance · (a − b)².
        public var error: Double
        /// Σ importance · a².
        public var energy: Double

        public init(error: Double = 0, energy: Double = 0) {
            self.error = error
            self.energy = energy
        }
    }

    /// The weighted error of rows against what they were, added row by row.
    public static func error(
        of decoded: [Float], against values: [Float], rowLength: Int, importance: [Float] = []
    ) -> RowError {
        precondition(decoded.count == values.count && rowLength > 0 && values.count % rowLength == 0)
        precondition(importance.isEmpty || importance.count == rowLength, "one weight for each column")
        var total = RowError()
        unsafe values.withUnsafeBufferPointer { a in
            unsafe decoded.withUnsafeBufferPointer { b in
                unsafe importance.withUnsafeBufferPointer { weights in
                    for start in stride(from: 0, to: values.count, by: rowLength) {
                        let row = unsafe ft_weighted_error(
                            a.baseAddress! + start, b.baseAddress! + start,
                            weights.isEmpty ? nil : weights.baseAddress, rowLength)
                        total.error += row.error
                        total.energy += row.energy
                    }
                }
            }
        }
        return total
    }

    /// Index of the first value that is NaN or infinite.
    public static func firstNonfinite(_ values: [Float]) -> Int? {
        let index = unsafe values.withUnsafeBufferPointer { unsafe ft_first_nonfinite($0.baseAddress, $0.count) }
        return index == values.count ? nil : index
    }
}
