import Kernels
import ModelGraph

/// What low-rank updates of mask rows need: activations of their inputs, and room for A x and B (A x).
final class MaskWorkspace {
    /// Room for one of the maps that share an input.
    private struct Slot {
        /// A x, [capacity, rank], and its activations.
        let inner: FloatBuffer
        let reduced: Activations
        /// B (A x), [capacity, outputs].
        let outer: FloatBuffer
    }

    /// Which of the maps, and the rank of its update.
    private struct Place: Hashable {
        let index, rank: Int
    }

    let capacity: Int
    private let pool: WorkerPool
    private let widest: Int
    private var inputs: [Int: Activations] = [:]
    private var slots: [Place: Slot] = [:]

    init(_ c: ModelConfiguration, capacity: Int, pool: WorkerPool) throws {
        self.capacity = capacity
        self.pool = pool
        widest = max(c.hiddenSize, c.feedForwardSize, c.headCount * c.headSize)
    }

    private func activations(columns: Int) -> Activations {
        if let held = inputs[columns] { return held }
        let made = Activations(capacity: capacity, columns: columns, pool: pool)
        inputs[columns] = made
        return made
    }

    private func slot(_ place: Place) throws -> Slot {
        if let held = slots[place] { return held }
        let slot = Slot(
            inner: try FloatBuffer(count: capacity * place.rank),
            reduced: Activations(capacity: capacity, columns: place.rank, pool: pool),
            outer: try FloatBuffer(count: capacity * widest))
        slots[place] = slot
        return slot
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
        let slots = try targets.enumerated().map { try slot(Place(index: $0, rank: $1.update.a.rows)) }
        try WeightMatrix.multiply(zip(targets, slots).map { Product($0.update.a, into: $1.inner) }, x)
        for slot in slots { slot.reduced.load(slot.inner, rows: count) }
        try WeightMatrix.multiply(
            zip(targets, slots).map { (product: Product($0.update.b, into: $1.outer), input: $1.reduced) })
        for (target, slot) in zip(targets, slots) {
            let rows = target.update.b.rows
            kernels.add(
                slot.outer, at: 0, scale: target.update.scale, to: target.output, at: first * rows,
                count: count * rows)
        }
    }
}
