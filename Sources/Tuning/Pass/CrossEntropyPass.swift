import Foundation
import ModelGraph

/// Rows through the unembedding to a cross-entropy and back, a tile of rows at a time: logits of a whole sequence
/// never exist at once.
final class CrossEntropyPass {
    private let model: FrozenModel
    private let logits = Matrix()
    private let tile: Matrix
    private let tileRows: Int

    init(model: FrozenModel, tile: Matrix, logitBytes: Int) {
        self.model = model
        self.tile = tile
        tileRows = min(256, max(8, logitBytes / (4 * model.configuration.vocabularySize)))
    }

    private func forEachTile(_ rows: Int, _ body: (Range<Int>) throws -> Void) rethrows {
        for start in stride(from: 0, to: rows, by: tileRows) { try body(start..<min(rows, start + tileRows)) }
    }

    private var scale: Float { Float(model.configuration.logitScale) }
    private var cap: Float { Float(model.configuration.finalSoftCap ?? 0) }

    /// Returns the sum of the rows' losses. With a gradient, `gradient` is kept `keep` times and gets `weight` times
    /// the sum's derivative; `best` gets each row's most likely token.
    func run(
        _ rows: MatrixView, targets: Targets, weight: Float, gradient: MatrixView?, keep: Float, best: inout [Int32]
    ) throws -> Double {
        var sum = 0.0
        best = []
        best.reserveCapacity(rows.rows)
        try forEachTile(rows.rows) { range in
            logits.reshape(range.count, model.configuration.vocabularySize)
            try model.unembedding.apply(rows.view(rows: range), into: logits.view, scratch: tile)
            for row in range {
                let (loss, token) = RowKernels.crossEntropy(
                    logits.view.row(row - range.lowerBound), targets: targets.tokens, weights: targets.weights,
                    range: targets.range(row), weight: weight, scale: scale, cap: cap)
                sum += loss
                best.append(token)
            }
            if let gradient {
                try model.unembedding.applyTransposed(
                    logits.view, into: gradient.view(rows: range), keep: keep, scratch: tile)
            }
        }
        return sum
    }

    /// The most likely token of each row.
    func best(_ rows: MatrixView) throws -> [Int32] {
        var best: [Int32] = []
        try forEachTile(rows.rows) { range in
            logits.reshape(range.count, model.configuration.vocabularySize)
            try model.unembedding.apply(rows.view(rows: range), into: logits.view, scratch: tile)
            for row in 0..<range.count { best.append(RowKernels.argmax(logits.view.row(row))) }
        }
        return best
    }

    /// The logits of one row, scaled and capped as the model has them.
    func logits(_ row: MatrixView) throws -> [Float] {
        logits.reshape(1, model.configuration.vocabularySize)
        try model.unembedding.apply(row, into: logits.view, scratch: tile)
        return logits.values.map { value in
            let scaled = value * scale
            return cap > 0 ? cap * tanh(scaled / cap) : scaled
        }
    }

    /// The `count` most likely tokens of each row and their probabilities among themselves.
    func top(_ rows: MatrixView, count: Int) throws -> (tokens: [Int32], weights: [Float]) {
        var tokens: [Int32] = []
        var weights: [Float] = []
        try forEachTile(rows.rows) { range in
            logits.reshape(range.count, model.configuration.vocabularySize)
            try model.unembedding.apply(rows.view(rows: range), into: logits.view, scratch: tile)
            for row in 0..<range.count {
                let top = RowKernels.top(logits.view.row(row), count: count, scale: scale, cap: cap)
                tokens += top.index
                weights += top.weight
            }
        }
        return (tokens, weights)
    }
}
