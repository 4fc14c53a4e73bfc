import COpenBLAS

/// Matrix products through OpenBLAS, one thread each: the trainer runs several sequences at once instead.
enum Product {
    /// Must run before the first product; more threads inside a product would make its sums depend on their number.
    static func useOneThread() { openblas_set_num_threads(1) }

    enum Transposed { case neither, first, second }

    /// c = factor * op(a) op(b) + keep * c.
    static func multiply(
        _ a: MatrixView, _ b: MatrixView, into c: MatrixView, transposing: Transposed = .neither, factor: Float = 1,
        keep: Float = 0
    ) {
        let (transposeA, transposeB) = (transposing == .first, transposing == .second)
        let (m, inner) = transposeA ? (a.columns, a.rows) : (a.rows, a.columns)
        let (innerB, n) = transposeB ? (b.columns, b.rows) : (b.rows, b.columns)
        precondition(
            inner == innerB && c.rows == m && c.columns == n,
            "product of [\(m), \(inner)] and [\(innerB), \(n)] into [\(c.rows), \(c.columns)]")
        guard m > 0, n > 0 else { return }
        guard inner > 0 else {
            if keep == 0 { c.fill(0) }
            return
        }
        unsafe cblas_sgemm(
            CblasRowMajor, transposeA ? CblasTrans : CblasNoTrans, transposeB ? CblasTrans : CblasNoTrans,
            blasint(m), blasint(n), blasint(inner), factor, a.pointer, blasint(a.stride), b.pointer,
            blasint(b.stride), keep, c.pointer, blasint(c.stride))
    }
}
