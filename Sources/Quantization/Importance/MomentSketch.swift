import COpenBLAS
public import Kernels

/// The second moments H = Σ x x' of a matrix's inputs, seen through 64 random directions S: Y = H S.
///
/// What is lost by rounding is mostly felt in few directions of the inputs. Y finds them in one walk over the text, with
/// 64 numbers for a column instead of a whole row of H: H ≈ Y (S'Y)⁻¹ Y' (Nyström's approximation; Halko, Martinsson and
/// Tropp 2011). S holds signs only, drawn by the column's number.
public struct MomentSketch: Sendable {
    public static let width = Moments.sketchWidth

    public let columns: Int
    /// columns × `width`.
    public private(set) var values: [Float]

    public init(columns: Int) {
        self.columns = columns
        values = [Float](repeating: 0, count: columns * Self.width)
    }

    /// One that was begun before; nothing if the numbers are not as many.
    public init?(columns: Int, values: [Float]) {
        guard values.count == columns * Self.width else { return nil }
        self.columns = columns
        self.values = values
    }

    private var signs: [Float] {
        var signs: [Float] = []
        signs.reserveCapacity(columns * Self.width)
        for column in 0..<columns {
            // SplitMix64's scrambling of the number.
            var bits = UInt64(column) &+ 0x9E37_79B9_7F4A_7C15
            bits = (bits ^ (bits >> 30)) &* 0xBF58_476D_1CE4_E5B9
            bits = (bits ^ (bits >> 27)) &* 0x94D0_49BB_1331_11EB
            bits ^= bits >> 31
            for index in 0..<Self.width { signs.append(bits >> UInt64(index) & 1 == 0 ? 1 : -1) }
        }
        return signs
    }

    /// Adds inputs, any number of `columns` floats one after the other.
    public mutating func add(_ rows: [Float], pool: WorkerPool) {
        Moments.addSketch(of: rows, columns: columns, signs: signs, to: &values, pool: pool)
    }

    /// F with `ErrorFeedback.rank` columns, F F' near H and never above it by more than rounding: columns × rank. Zeros
    /// where H has fewer directions; all of them where it is no matrix of moments.
    public func factor() -> [Float] {
        let n = columns
        let width = Self.width
        let rank = ErrorFeedback.rank
        let nothing = [Float](repeating: 0, count: n * rank)
        guard n > 0, values.allSatisfy(\.isFinite) else { return nothing }
        openblas_set_num_threads(1)
        let sketch = values.map(Double.init)
        let core = Self.product(signs.map(Double.init), transposed: true, sketch, (width, n, width))
        guard let (energies, axes) = Self.eigen(core, width), let most = energies.last, most > 0 else {
            return nothing
        }
        // Directions that only rounding made are left aside.
        var halves = axes
        for k in 0..<width {
            let scale = energies[k] > 1e-5 * most ? 1 / energies[k].squareRoot() : 0
            for r in 0..<width { halves[r * width + k] *= scale }
        }
        let whole = Self.product(sketch, transposed: false, halves, (n, width, width))
        let gram = Self.product(whole, transposed: true, whole, (width, n, width))
        guard let (_, order) = Self.eigen(gram, width) else { return nothing }
        var chosen = [Double](repeating: 0, count: width * rank)
        for r in 0..<width { for k in 0..<rank { chosen[r * rank + k] = order[r * width + width - 1 - k] } }
        return Self.product(whole, transposed: false, chosen, (n, width, rank)).map { Float($0) }
    }

    /// a b, or a' b; (rows of the result, depth, columns).
    private static func product(
        _ a: [Double], transposed: Bool, _ b: [Double], _ size: (Int, Int, Int)
    ) -> [Double] {
        let (m, k, n) = (Int32(size.0), Int32(size.1), Int32(size.2))
        var c = [Double](repeating: 0, count: size.0 * size.2)
        unsafe a.withUnsafeBufferPointer { a in
            unsafe b.withUnsafeBufferPointer { b in
                unsafe c.withUnsafeMutableBufferPointer { c in
                    unsafe cblas_dgemm(
                        CblasRowMajor, transposed ? CblasTrans : CblasNoTrans, CblasNoTrans, m, n, k, 1,
                        a.baseAddress,
                        transposed ? m : k, b.baseAddress, n, 0, c.baseAddress, n)
                }
            }
        }
        return c
    }

    /// Eigenvalues of a symmetric matrix, the smallest first, and its eigenvectors as columns.
    private static func eigen(_ matrix: [Double], _ n: Int) -> (values: [Double], vectors: [Double])? {
        var vectors = matrix
        for i in 0..<n { for j in 0..<i { vectors[i * n + j] = (matrix[i * n + j] + matrix[j * n + i]) / 2 } }
        for i in 0..<n { for j in 0..<i { vectors[j * n + i] = vectors[i * n + j] } }
        var values = [Double](repeating: 0, count: n)
        var work = [Double](repeating: 0, count: 34 * n)
        var size = Int32(n)
        var leading = size
        var length = Int32(work.count)
        var info: Int32 = 0
        unsafe vectors.withUnsafeMutableBufferPointer { vectors in
            unsafe values.withUnsafeMutableBufferPointer { values in
                unsafe work.withUnsafeMutableBufferPointer { work in
                    unsafe dsyev_(
                        "V", "L", &size, vectors.baseAddress, &leading, values.baseAddress, work.baseAddress, &length,
                        &info)
                }
            }
        }
        guard info == 0 else { return nil }
        // LAPACK counts by columns.
        var turned = vectors
        for i in 0..<n { for j in 0..<n { turned[i * n + j] = vectors[j * n + i] } }
        return (values, turned)
    }
}
