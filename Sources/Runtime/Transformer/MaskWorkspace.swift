import Kernels
import ModelGraph

/// What low-rank updates of mask rows need: activations of their inputs, and room for A x and B (A x).
final class MaskWorkspace {
    let capacity: Int
    private let pool: WorkerPool
    private var inputs: [Int: Activations] = [:]
    private var inner: [FloatBuffer] = []
    private var outer: FloatBuffer

    init(_ c: ModelConfiguration, capacity: Int, pool: WorkerPool) throws {
        self.capacity = capacity
        self.pool = pool
        let widest = max(c.hiddenSize, c.feedForwardSize, c.headCount * c.headSize)
        outer = try FloatBuffer(count: capacity * widest)
    }

    private func activations(columns: Int) -> Activations {
        if let held = inputs[columns] { return held }
        let made = Activations(capacity: capacity, columns: columns, pool: pool)
        inputs[columns] = made
        return made
    }

    /// output row r += scale · B (A input row r), for rows `first ..< first + count` of both buffers.
    ///
    /// - Parameter targets: the maps that share the input: their updates and outputs.
    func add(
        _ targets: [(update: LowRankUpdate, output: FloatBuffer)], input: FloatBuffer, width: Int, first: Int,
        count: Int, kernels: RowKernels
    ) throws {
        guard !targets.isEmpty, count > 0 else { return }
        let x = activations(columns: width)
        x.load(input, offset: first * width, rows: count)
        var products: [Product] = []
        for (index, target) in targets.enumerated() {
            let needed = capacity * target.update.a.rows
            if index == inner.count { inner.append(try FloatBuffer(count: needed)) }
            if inner[index].count < needed { inner[index] = try FloatBuffer(count: needed) }
            products.append(Product(target.update.a, into: inner[index]))
        }
        try WeightMatrix.multiply(products, x)
        for (index, target) in targets.enumerated() {
            let (a, b) = (target.update.a, target.update.b)
            let reduced = activations(columns: a.rows)
            reduced.load(inner[index], rows: count)
            try b.multiply(reduced, into: outer)
            kernels.add(
                outer, at: 0, scale: target.update.scale, to: target.output, at: first * b.rows, count: count * b.rows
            )
        }
    }
}
