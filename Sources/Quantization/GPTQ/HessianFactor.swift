import COpenBLAS

/// What GPTQ needs of a matrix's inputs: the upper factor U of the inverse of their damped second moments, U'U = H⁻¹.
///
/// Frantar et al., "GPTQ", 2022. Damping starts at `damping` of the mean diagonal element and grows tenfold until the
/// factorization succeeds.
public struct HessianFactor: Sendable {
    public let columns: Int
    /// columns × columns, row-major; zero below the diagonal.
    public let upper: [Float]
    /// 1 / U[j,j]²: what an error in column j costs once later columns have made up for what they can.
    public let weights: [Float]
    /// The part of the mean diagonal element that was added.
    public let damping: Double

    /// Bytes that a factor and its making take.
    public static func workBytes(columns: Int) -> Int { 2 * 4 * columns * columns }

    /// - Parameter hessian: columns × columns, symmetric; only its upper triangle is read.
    public init(
        _ hessian: [Float], columns: Int, tensor: String, damping start: Double = 0.01
    ) throws(QuantizationError) {
        precondition(hessian.count == columns * columns, "a square matrix")
        var mean = 0.0
        for j in 0..<columns { mean += Double(hessian[j * columns + j]) }
        mean /= Double(max(1, columns))
        guard mean > 0, mean.isFinite else {
            throw .unusableHessian(tensor: tensor, "its inputs were all zero, or no numbers, in the calibration text")
        }
        openblas_set_num_threads(1)
        var damping = start
        for _ in 0..<6 {
            var matrix = Self.damped(hessian, columns, by: damping * mean, floor: mean * 1e-6)
            if Self.factor(&matrix, columns), Self.invert(&matrix, columns), Self.factor(&matrix, columns) {
                let weights = (0..<columns).map { 1 / (matrix[$0 * columns + $0] * matrix[$0 * columns + $0]) }
                if weights.allSatisfy({ $0.isFinite && $0 > 0 }) {
                    for i in 0..<columns { for j in 0..<i { matrix[i * columns + j] = 0 } }
                    self.columns = columns
                    self.damping = damping
                    self.weights = weights
                    upper = matrix
                    return
                }
            }
            damping *= 10
        }
        throw .notPositiveDefinite(tensor: tensor)
    }

    /// The full symmetric matrix with damping on its diagonal; a column that never had input gets the mean.
    private static func damped(_ hessian: [Float], _ n: Int, by damping: Double, floor: Double) -> [Float] {
        var matrix = hessian
        for i in 0..<n {
            for j in i + 1..<max(n, i + 1) { matrix[j * n + i] = hessian[i * n + j] }
            let diagonal = Double(hessian[i * n + i])
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
