import Kernels
import TensorFiles

/// A weight matrix [out, in] of the base model, which gets no gradient: held as float32 when the budget allows,
/// otherwise decoded tile by tile each time it is used.
final class FrozenMatrix: Sendable {
    let rows: Int
    let columns: Int
    private let resident: Matrix?
    private let tensor: Tensor
    private let tileRows: Int

    /// - Parameter tileBytes: how large a decoded tile may be when the matrix is not resident.
    init(_ tensor: Tensor, resident keep: Bool, tileBytes: Int = 4 << 20) throws {
        self.tensor = tensor
        rows = tensor.rowCount
        columns = tensor.rowLength
        tileRows = max(1, min(tensor.rowCount, tileBytes / max(1, 4 * tensor.rowLength)))
        if keep {
            let matrix = Matrix(rows, columns)
            try Self.decode(tensor, rows: 0..<rows, into: matrix.view)
            resident = matrix
        } else {
            resident = nil
        }
    }

    static func decode(_ tensor: Tensor, rows: Range<Int>, into target: MatrixView) throws {
        try tensor.withBytes(rows: rows) { bytes in
            try target.withMutableSpan { (span: inout MutableSpan<Float>) throws in
                try BlockCodec.decode(tensor.type, bytes, into: &span)
            }
        }
    }

    private func forEachTile(_ scratch: Matrix, _ body: (Range<Int>, MatrixView) -> Void) throws {
        if let resident { return body(0..<rows, resident.view) }
        scratch.reshape(tileRows, columns)
        for start in stride(from: 0, to: rows, by: tileRows) {
            let range = start..<min(rows, start + tileRows)
            let tile = scratch.view(rows: 0..<range.count)
            try Self.decode(tensor, rows: range, into: tile)
            body(range, tile)
        }
    }

    /// y = x Wᵀ.
    func apply(_ x: MatrixView, into y: MatrixView, scratch: Matrix) throws {
        try forEachTile(scratch) { range, tile in
            Product.multiply(x, tile, into: y.view(columns: range), transposing: .second)
        }
    }

    /// dx = keep · dx + dy W.
    func applyTransposed(_ dy: MatrixView, into dx: MatrixView, keep: Float, scratch: Matrix) throws {
        var keep = keep
        try forEachTile(scratch) { range, tile in
            Product.multiply(dy.view(columns: range), tile, into: dx, keep: keep)
            keep = 1
        }
    }

    /// Copies a row, as an embedding table's, into `target`.
    func copyRow(_ row: Int, into target: MatrixView) throws {
        if let resident {
            target.copy(from: resident.view(rows: row..<row + 1))
        } else {
            try Self.decode(tensor, rows: row..<row + 1, into: target)
        }
    }
}
