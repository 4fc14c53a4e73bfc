/// The rate of a large single-precision product on this machine, against which training is held.
public enum MachineSpeed {
    /// Multiply-adds per second of OpenBLAS on one thread, the best of a few products of 768 x 768 matrices.
    public static func multiplyAddsPerSecond() -> Double {
        Product.useOneThread()
        let size = 768
        let (a, b, c) = (Matrix(size, size), Matrix(size, size), Matrix(size, size))
        a.fill(0.5)
        b.fill(0.25)
        var best = 0.0
        for _ in 0..<12 {
            let elapsed = ContinuousClock().measure { Product.multiply(a.view, b.view, into: c.view) }
            best = max(best, Double(size * size * size) / elapsed.inSeconds)
        }
        return best
    }
}

extension Duration {
    var inSeconds: Double { Double(components.seconds) + Double(components.attoseconds) * 1e-18 }
}
