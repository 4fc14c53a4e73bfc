public import TensorFiles

/// What a tensor's numbers are like. Minimum, maximum, mean and root mean square are of the finite ones.
public struct TensorStatistics: Hashable, Sendable, Codable {
    public var minimum: Double
    public var maximum: Double
    public var mean: Double
    public var rootMeanSquare: Double
    public var notANumber: Int
    public var infinite: Int

    /// Streams the tensor once; `nil` for one without finite numbers or of a type that is not of real numbers.
    public init?(of tensor: Tensor) throws {
        guard BlockCodec.canDecode(tensor.type) else { return nil }
        var (low, high, sum, squares) = (Float.infinity, -Float.infinity, 0.0, 0.0)
        var (finite, nans, infinities) = (0, 0, 0)
        try tensor.forEachRun(byteBudget: 1 << 18) { rows, bytes in
            let values = try BlockCodec.decode(tensor.type, bytes, count: rows.count * tensor.rowLength)
            for value in values {
                guard value.isFinite else {
                    if value.isNaN { nans += 1 } else { infinities += 1 }
                    continue
                }
                finite += 1
                low = min(low, value)
                high = max(high, value)
                sum += Double(value)
                squares += Double(value) * Double(value)
            }
        }
        guard finite > 0 else { return nil }
        minimum = Double(low)
        maximum = Double(high)
        mean = sum / Double(finite)
        rootMeanSquare = (squares / Double(finite)).squareRoot()
        notANumber = nans
        infinite = infinities
    }
}
