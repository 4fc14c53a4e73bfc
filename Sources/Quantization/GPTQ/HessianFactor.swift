import COpenBLAS
public import Kernels

/// What GPTQ needs of a matrix's inputs: the upper factor U of the inverse of their damped second moments, U'U = H⁻¹,
/// columns in the order of coding.
///
/// Frantar et al., "GPTQ", 2022. Damping starts at `damping` of the mean diagonal element and grows tenfold until the
/// factorization succeeds.
public struct HessianFactor: Sendable {
    public let feedback: ErrorFeedback
    /// The part of the mean diagonal element that was added.
    public let damping: Double

    /// Bytes that a factor and its making take.
    public static func workBytes(columns: Int) -> Int { 2 * 4 * columns * columns }

    /// - Parameter hessian: columns × columns, symmetric; only its upper triangle is read.
    public init(
        _ hessian: [Float], columns: Int, tensor: String, damping start: Double = 0.01
    ) throws(QuantizationError) {
        precondition(hessian.count == columns * columns, "a square matrix")
        let diagonal = (0..<columns).map { hessian[$0 * columns + $0] }
        let mean = diagonal.reduce(0.0) { $0 + Double($1) } / Double(max(1, columns))
        guard mean > 0, mean.isFinite else {
            throw .unusableHessian(tensor: tensor, "its inputs were all zero, or no numbers, in the calibration text")
        }
        let order = ErrorFeedback.order(diagonal: diagonal)
        openblas_set_num_threads(1)
        var damping = start
        for _ in 0..<6 {
            var matrix = Self.damped(hessian, order, by: damping * mean, floor: mean * 1e-6)
            if Self.factor(&matrix, columns), Self.invert(&matrix, columns), Self.factor(&matrix, columns),
                (0..<columns).allSatisfy({ matrix[$0 * columns + $0].isFinite && matrix[$0 * columns + $0] > 0 })
            {
                self.damping = damping
                feedback = ErrorFeedback(diagonal: diagonal, upper: matrix)
                return
            }
            damping *= 10
        }
        throw .notPositiveDefinite(tensor: tensor)
    }

    /// The full symmetric matrix in the order of coding, with damping on its diagonal; a column that never had input gets
    /// the mean.
    private static func damped(_ hessian: [Float], _ order: [Int], by damping: Double, floor: Double) -> [Float] {
        let n = order.count
        var matrix = [Float](repeating: 0, count: n * n)
        for (i, row) in order.enumerated() {
            for (j, column) in order.enumerated() {
                matrix[i * n + j] = hessian[min(row, column) * n + max(row, column)]
            }
            let diagonal = Double(hessian[row * n + row])
            matrix[i * n + i] = Float((diagonal > floor ? diagonal : floor) + damping)
        }
        return matrix
    }

    /// LAPACK counts by columns, so its lower triangle is our upper one.
    private static func factor(_ matrix: inout [Float], _ n: Int) -> Bool {
        var size = Int32(n)
        var leading = Int32(n)
        var info: Int32 = 0
        unsafe matrix.withUnsafeMutableBufferPointer { buffer in
            unsafe spotrf_("L", &size, buffer.baseAddress, &leading, &info)
        }
        return info == 0
    }

    /// The inverse of the factored matrix, its triangle complete enough to be factored again.
    private static func invert(_ matrix: inout [Float], _ n: Int) -> Bool {
        var size = Int32(n)
        var leading = Int32(n)
        var info: Int32 = 0
        unsafe matrix.withUnsafeMutableBufferPointer { buffer in
            unsafe spotri_("L", &size, buffer.baseAddress, &leading, &info)
        }
        return info == 0
    }
}
