public import ModelGraph
import TensorFiles

/// Where a new graft starts.
public enum TrainingStart {
    /// Masks begin as the mean of the embedding table plus noise of the table's own spread, so that they look like
    /// tokens; everything else as `Graft(new:)` has it.
    public static func graft(_ design: Graft.Design, model: ModelGraph, base: GraftBase) throws -> Graft {
        let width = model.configuration.hiddenSize
        guard let table = model[.tokenEmbedding] else {
            throw TuningError.missingTensor(part: TensorRole.Part.tokenEmbedding.rawValue, block: nil)
        }
        // Rows spread evenly over the table are enough to know its mean and spread.
        let step = max(1, table.rowCount / 4096)
        var sum = [Double](repeating: 0, count: width)
        var squares = 0.0
        var count = 0
        let row = Matrix(1, width)
        for index in stride(from: 0, to: table.rowCount, by: step) {
            try FrozenMatrix.decode(table, rows: index..<index + 1, into: row.view)
            for (column, value) in row.values.enumerated() {
                sum[column] += Double(value)
                squares += Double(value) * Double(value)
            }
            count += 1
        }
        let mean = sum.map { $0 / Double(max(1, count)) }
        let power = mean.reduce(0) { $0 + $1 * $1 } / Double(width)
        let variance = max(0, squares / Double(max(1, count * width)) - power)
        return try Graft(
            new: design, configuration: model.configuration, embeddingMean: mean.map(Float.init),
            embeddingDeviation: Float(variance.squareRoot()), base: base)
    }
}
