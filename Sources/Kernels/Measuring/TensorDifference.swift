public import TensorFiles

/// How far the numbers of one tensor are from those of another of the same shape.
public struct TensorDifference: Hashable, Sendable, Codable {
    /// The two hold the same type and the same bytes.
    public var identical: Bool
    /// ‖candidate − reference‖ / ‖reference‖; 0 when both are zero.
    public var relativeError: Double
    public var maximumAbsoluteError: Double
    /// Elements that are a number in one and none in the other.
    public var mismatchedNumbers: Int

    /// Streams both. Shapes must be equal; types need not be, but both must be of real numbers.
    public init(reference: Tensor, candidate: Tensor) throws {
        precondition(reference.shape == candidate.shape, "shapes differ")
        guard BlockCodec.canDecode(reference.type) else { throw KernelError.undecodable(reference.type) }
        guard BlockCodec.canDecode(candidate.type) else { throw KernelError.undecodable(candidate.type) }
        var isIdentical = reference.type == candidate.type
        var (errors, squares, largest, mismatched) = (0.0, 0.0, 0.0, 0)
        try reference.forEachRun(byteBudget: 1 << 18) { rows, bytes in
            try candidate.withBytes(rows: rows) { other in
                if isIdentical, !bytes.elementsEqual(other) { isIdentical = false }
                let count = rows.count * reference.rowLength
                let expected = try BlockCodec.decode(reference.type, bytes, count: count)
                let found = try BlockCodec.decode(candidate.type, other, count: count)
                for (one, another) in zip(expected, found) {
                    guard one.isFinite, another.isFinite else {
                        if !(one == another || one.isNaN && another.isNaN) { mismatched += 1 }
                        continue
                    }
                    let error = Double(another) - Double(one)
                    errors += error * error
                    squares += Double(one) * Double(one)
                    largest = max(largest, abs(error))
                }
            }
            candidate.source.release(rows: rows, rowByteCount: candidate.rowByteCount)
        }
        identical = isIdentical
        relativeError = errors == 0 ? 0 : (errors / squares).squareRoot()
        maximumAbsoluteError = largest
        mismatchedNumbers = mismatched
    }
}
