/// The unigram language model: of all ways to cut a text into pieces, the one with the highest sum of log
/// probabilities, found by Viterbi's algorithm. Source: Kudo 2018, as SentencePiece and `tokenizers` do it.
struct UnigramModel: Sendable {
    /// Entry number = token id.
    var table: ByteTable
    var scores: [Double]
    /// Pieces that may be chosen.
    var usable: [Bool]
    var byteIds: [Int32]
    var byteFallback: Bool
    var unknownId: Int
    /// Sums in single precision, as SentencePiece does, so that ties fall alike.
    var singlePrecision: Bool
    private let longest: Int
    private let unknownScore: Double

    init(
        table: ByteTable, scores: [Double], usable: [Bool], byteIds: [Int32], byteFallback: Bool, unknownId: Int,
        singlePrecision: Bool
    ) {
        self.table = table
        self.scores = scores
        self.usable = usable
        self.byteIds = byteIds
        self.byteFallback = byteFallback
        self.unknownId = unknownId
        self.singlePrecision = singlePrecision
        longest = (0..<table.count).map { table.range(of: $0).count }.max() ?? 0
        let worst = zip(scores, usable).filter { $0.1 }.map { $0.0 }.min() ?? 0
        unknownScore = worst - 10
    }

    private struct Node {
        var score = -Double.infinity
        var start = -1
        var id = -1
    }

    func encode(_ text: [UInt8], _ range: Range<Int>, _ scratch: inout ModelScratch, to output: inout [Int]) {
        let base = range.lowerBound
        var nodes = [Node](repeating: Node(), count: range.count + 1)
        nodes[0].score = 0
        var start = base
        while start < range.upperBound {
            let so = nodes[start - base].score
            let single = min(start + UTF8Text.length(lead: text[start]), range.upperBound)
            var hasSingle = false
            var end = single
            while end - start <= longest {
                let id = table.find(text.span, start..<end)
                if id >= 0, usable[id] {
                    offer(so, scores[id], start, id, &nodes[end - base])
                    if end == single { hasSingle = true }
                }
                guard end < range.upperBound else { break }
                end = min(end + UTF8Text.length(lead: text[end]), range.upperBound)
            }
            if !hasSingle { offer(so, unknownScore, start, unknownId, &nodes[single - base]) }
            start = single
        }
        var path: [(id: Int, range: Range<Int>)] = []
        var end = range.upperBound
        while end > base {
            let node = nodes[end - base]
            path.append((node.id, node.start..<end))
            end = node.start
        }
        var unknownBefore = false
        for step in path.reversed() {
            guard step.id == unknownId else {
                output.append(step.id)
                unknownBefore = false
                continue
            }
            if byteFallback, text[step.range].allSatisfy({ byteIds[Int($0)] >= 0 }) {
                for byte in text[step.range] { output.append(Int(byteIds[Int(byte)])) }
                unknownBefore = false
            } else {
                if !unknownBefore { output.append(unknownId) }
                unknownBefore = true
            }
        }
    }

    private func offer(_ before: Double, _ score: Double, _ start: Int, _ id: Int, _ node: inout Node) {
        let sum = singlePrecision ? Double(Float(before) + Float(score)) : before + score
        if node.start < 0 || sum > node.score { node = Node(score: sum, start: start, id: id) }
    }
}
