import CKernels
public import TensorFiles

/// GPTQ's inner loops.
public enum SequentialQuantizer {
    /// Quantizes rows column by column, spreading each column's error over those that follow.
    ///
    /// - Parameters:
    ///   - values: rows × `columns`.
    ///   - upper: columns × columns, the upper factor of the inverse Hessian.
    ///   - weights: of the columns, for the search of scales.
    /// - Returns: the rows' bytes; a row's do not depend on the others.
    public static func encode(
        _ type: ElementType, _ values: [Float], columns: Int, upper: [Float], weights: [Float]
    ) throws(KernelError) -> [UInt8] {
        guard let number = BlockCodec.number(of: type), type.isQuantized, BlockCodec.canEncode(type, .search) else {
            throw .unencodable(type)
        }
        guard columns > 0, values.count % columns == 0, let rowBytes = type.byteCount(elements: columns) else {
            throw .partialBlocks(type, rowLength: columns)
        }
        precondition(upper.count == columns * columns && weights.count == columns, "factors of these columns")
        let rows = values.count / columns
        var work = values
        var scratch = [Float](repeating: 0, count: rows * 256)
        return unsafe [UInt8](unsafeUninitializedCapacity: rows * rowBytes) { target, count in
            let done = unsafe work.withUnsafeMutableBufferPointer { work in
                unsafe scratch.withUnsafeMutableBufferPointer { scratch in
                    unsafe upper.withUnsafeBufferPointer { upper in
                        unsafe weights.withUnsafeBufferPointer { weights in
                            unsafe ft_gptq_rows(
                                number, work.baseAddress, rows, columns, upper.baseAddress, weights.baseAddress,
                                target.baseAddress, scratch.baseAddress)
                        }
                    }
                }
            }
            precondition(done, "the kernels refuse what they offer")
            count = rows * rowBytes
        }
    }

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
}
