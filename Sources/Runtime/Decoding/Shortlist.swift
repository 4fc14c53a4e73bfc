/// The best few of many scores.
enum Shortlist {
    /// Indices of the `count` largest scores (lower indices first among equals), in rising order of index.
    ///
    /// One pass: scores are compared with the smallest of the best so far, which soon turns nearly all away.
    static func best(_ count: Int, of scores: borrowing Span<Float>) -> [UInt32] {
        guard count < scores.count else { return (0..<scores.count).map { UInt32($0) } }
        guard count > 0 else { return [] }
        // A heap whose root is the worst kept: smallest score, then largest index.
        var heap: [(score: Float, index: UInt32)] = []
        heap.reserveCapacity(count)
        func isWorse(_ one: (score: Float, index: UInt32), _ other: (score: Float, index: UInt32)) -> Bool {
            one.score != other.score ? one.score < other.score : one.index > other.index
        }
        func sink(_ start: Int) {
            var parent = start
            while true {
                var child = 2 * parent + 1
                guard child < heap.count else { return }
                if child + 1 < heap.count, isWorse(heap[child + 1], heap[child]) { child += 1 }
                guard isWorse(heap[child], heap[parent]) else { return }
                heap.swapAt(child, parent)
                parent = child
            }
        }
        for index in 0..<count { heap.append((scores[index], UInt32(index))) }
        for index in stride(from: count / 2 - 1, through: 0, by: -1) { sink(index) }
        var threshold = heap[0].score
        for index in count..<scores.count where scores[index] > threshold {
            heap[0] = (scores[index], UInt32(index))
            sink(0)
            threshold = heap[0].score
        }
        return heap.map(\.index).sorted()
    }
}
