import CKernels

/// Second moments of inputs, added up.
public enum Moments {
    /// Adds the second moments of rows to the upper triangle of a square matrix.
    ///
    /// - Parameter rows: any number of `columns` floats, one row after the other.
    public static func addMoments(of rows: [Float], columns: Int, to matrix: inout [Float]) {
        precondition(columns > 0 && rows.count % columns == 0 && matrix.count == columns * columns)
        unsafe matrix.withUnsafeMutableBufferPointer { matrix in
            unsafe rows.withUnsafeBufferPointer { rows in
                unsafe ft_add_gram(matrix.baseAddress, rows.baseAddress, rows.count / columns, columns, columns)
            }
        }
    }

    /// Adds X'(X S) of rows X to a sketch; `signs` is S, as large as the sketch.
    public static func addSketch(of rows: [Float], columns: Int, signs: [Float], to sketch: inout [Float]) {
        precondition(columns > 0 && rows.count % columns == 0, "whole rows")
        precondition(sketch.count == columns * Int(FT_SKETCH_WIDTH) && signs.count == sketch.count)
        unsafe sketch.withUnsafeMutableBufferPointer { sketch in
            unsafe rows.withUnsafeBufferPointer { rows in
                unsafe signs.withUnsafeBufferPointer { signs in
                    unsafe ft_add_sketch(
                        sketch.baseAddress, rows.baseAddress, rows.count / columns, columns, signs.baseAddress)
                }
            }
        }
    }
}
