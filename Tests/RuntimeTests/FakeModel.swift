import Runtime

/// A language model without arithmetic: the logits after a text are pseudo-random numbers made from its last few
/// tokens, so what any row must say is known without the code under test. It refuses rows that do not follow the
/// rules of a mixed sequence, and drafts rightly as often as it is told to.
final class FakeModel: DecodingModel {
    let vocabulary: Int
    let contextLength: Int
    let maskCount: Int
    /// Probability that a draft is what greedy decoding would say.
    var skill: Double
    /// How many tokens back the logits depend on.
    let memory: Int
    private(set) var kept: [Int] = []
    private var rows: [Row] = []
    private var read: [[Float]] = []
    private var generator: RandomStream
    private(set) var passes = 0
    private(set) var rowsFed = 0
    private(set) var largestPosition = 0
    /// Seconds that passes would have taken, by its own law of costs.
    private(set) var seconds = 0.0
    var draftCost: (_ masks: Int) -> Double = { 0.02 + 0.04 * Double($0 - 1) / 7 }
    var cost: (_ rows: Int) -> Double = { Double($0) }

    init(vocabulary: Int, contextLength: Int = 1 << 20, maskCount: Int, skill: Double, memory: Int = 3, seed: UInt64)
    {
        self.vocabulary = vocabulary
        self.contextLength = contextLength
        self.maskCount = maskCount
        self.skill = skill
        self.memory = memory
        generator = RandomStream(seed: seed)
    }

    var keptCount: Int { kept.count }
    var rowLimit = 100
    func reset() { kept = [] }
    func append(_ tokens: [Int]) { kept += tokens }

    func forward(_ rows: [Row]) {
        precondition(rows.count <= rowLimit, "too many rows")
        for (index, row) in rows.enumerated() {
            if let parent = row.parent {
                precondition(parent < index)
                if case .mask(let offset) = row.input {
                    switch rows[parent].input {
                    case .token: precondition(offset == 0)
                    case .mask(let before): precondition(offset == before + 1)
                    }
                    precondition(offset < maskCount)
                } else {
                    precondition(!rows[parent].isMask)
                }
            } else {
                precondition(!row.isMask)
            }
            let position = kept.count + depth(row, rows) - 1
            precondition(position < contextLength, "a row past the context's end")
            largestPosition = max(largestPosition, position)
        }
        self.rows = rows
        passes += 1
        rowsFed += rows.count
        seconds += cost(rows.count)
    }

    private func depth(_ row: Row, _ rows: [Row]) -> Int { 1 + (row.parent.map { depth(rows[$0], rows) } ?? 0) }

    private func text(through row: Int) -> [Int] {
        var tail: [Int] = []
        var next: Int? = row
        while let index = next {
            guard case .token(let token) = rows[index].input else { preconditionFailure("a mask has no text") }
            tail.append(token)
            next = rows[index].parent
        }
        return kept.suffix(memory) + tail.reversed()
    }

    func logits(after text: some Collection<Int>) -> [Float] {
        var seed: UInt64 = 0x1234_5678
        for token in text.suffix(memory) { seed = (seed ^ UInt64(token)) &* 0x9E37_79B9_7F4A_7C15 }
        var stream = RandomStream(seed: seed)
        return (0..<vocabulary).map { _ in Float(stream.normal() * 1.5) }
    }

    func greedy(after text: some Collection<Int>) -> Int {
        let scores = logits(after: text)
        return scores.indices.max { scores[$0] < scores[$1] }!
    }

    func readLogits(rows range: Range<Int>) { read = range.map { logits(after: text(through: $0)) } }

    func choose(row: Int, with sampler: inout TokenSampler, history: [Int]) -> Int {
        let scores = read[row]
        return sampler.next(logits: scores.span, history: history)
    }

    func keep(rows range: Range<Int>) {
        for row in range {
            guard case .token(let token) = rows[row].input else { preconditionFailure("a mask must not be kept") }
            precondition(rows[row].parent == (row == range.lowerBound ? nil : row - 1))
            kept.append(token)
        }
        rows = []
    }

    func draft(after token: Int, block: Range<Int>) -> [Draft] {
        seconds += draftCost(block.count)
        let anchor = rows[block.lowerBound].parent!
        var text = text(through: anchor) + [token]
        return block.map { row in
            guard case .mask(let offset) = rows[row].input else { preconditionFailure("drafts come from masks") }
            let right = greedy(after: text)
            let isRight = generator.unit() < skill
            let proposal = isRight ? right : (right + 1 + Int(generator.next() % UInt64(vocabulary - 1))) % vocabulary
            text.append(proposal)
            let sure = isRight ? 0.5 + generator.unit() / 2 : generator.unit()
            return Draft(token: proposal, confidence: Float(sure), source: .mask(depth: offset + 1))
        }
    }
}
