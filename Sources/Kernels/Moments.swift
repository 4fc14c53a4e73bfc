import CKernels

/// Second moments of inputs, added up.
public enum Moments {
    /// Numbers that a sketch has for each column.
    public static let sketchWidth = Int(FT_SKETCH_WIDTH)

    /// Adds the second moments of rows to the upper triangle of a square matrix, in runs of 64 rows.
    ///
    /// - Parameter rows: any number of `columns` floats, one row after the other.
    public static func addMoments(of rows: [Float], columns: Int, to matrix: inout [Float], pool: WorkerPool) {
        precondition(columns > 0 && rows.count % columns == 0 && matrix.count == columns * columns)
        let run = Int(FT_MOMENT_ROWS)
        var packed = [Float](
            repeating: 0, count: ft_moment_panels(columns) * run * Int(FT_MOMENT_COLUMNS))
        unsafe matrix.withUnsafeMutableBufferPointer { matrix in
            unsafe packed.withUnsafeMutableBufferPointer { packed in
                unsafe rows.withUnsafeBufferPointer { rows in
                    guard let matrix = matrix.baseAddress, let packed = packed.baseAddress,
                        let rowsStart = rows.baseAddress
                    else { return }
                    let shared = unsafe (SharedPointer(matrix), SharedPointer(packed))
                    for first in stride(from: 0, to: rows.count / columns, by: run) {
                        unsafe ft_pack_moment_rows(
                            rowsStart + first * columns, min(run, rows.count / columns - first), columns, packed)
                        let share = 32
                        pool.run((columns + share - 1) / share) { item in
                            unsafe ft_add_moments(
                                shared.0.pointer, shared.1.pointer, columns, item * share,
                                min(columns, (item + 1) * share))
                        }
                    }
                }
            }
        }
    }

    /// Adds X'(X S) of rows X to a sketch; `signs` is S, as large as the sketch.
    public static func addSketch(
        of rows: [Float], columns: Int, signs: [Float], to sketch: inout [Float], pool: WorkerPool
    ) {
        let width = sketchWidth
        precondition(columns > 0 && rows.count % columns == 0, "whole rows")
        precondition(sketch.count == columns * width && signs.count == sketch.count, "a sketch of the columns")
        let count = rows.count / columns
        var seen = [Float](repeating: 0, count: count * width)
        unsafe sketch.withUnsafeMutableBufferPointer { sketch in
            unsafe seen.withUnsafeMutableBufferPointer { seen in
                unsafe rows.withUnsafeBufferPointer { rows in
                    unsafe signs.withUnsafeBufferPointer { signs in
                        guard count > 0, let sketch = sketch.baseAddress, let seen = seen.baseAddress,
                            let rows = rows.baseAddress, let signs = signs.baseAddress
                        else { return }
                        let shared = unsafe (
                            SharedPointer(sketch), SharedPointer(seen),
                            SharedPointer(UnsafeMutablePointer(mutating: rows)),
                            SharedPointer(UnsafeMutablePointer(mutating: signs))
                        )
                        let (few, some) = (16, 64)
                        pool.run((count + few - 1) / few) { item in
                            let row = item * few
                            unsafe ft_sketch_rows(
                                shared.2.pointer + row * columns, min(few, count - row), columns, shared.3.pointer,
                                shared.1.pointer + row * width)
                        }
                        pool.run((columns + some - 1) / some) { item in
                            unsafe ft_sketch_columns(
                                shared.0.pointer, shared.2.pointer, count, columns, shared.1.pointer, item * some,
                                min(columns, (item + 1) * some))
                        }
                    }
                }
            }
        }
    }
}
