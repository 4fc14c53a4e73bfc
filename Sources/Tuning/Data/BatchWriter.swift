import ModelGraph
import Runtime

/// Continues many prompts at once in float32, one token of each in a pass: what a matrix product is good at.
final class BatchWriter {
    private let model: FrozenModel
    private let pass: OrdinaryPass
    private let head: CrossEntropyPass
    private let capacity: Int
    /// For each layer, the keys and values of all sequences: sequence s has rows s · capacity …
    private let keys: [Matrix]
    private let values: [Matrix]
    private let own = Matrix(), none = Matrix()

    init(model: FrozenModel, batch: Int, capacity: Int) {
        self.model = model
        self.capacity = capacity
        let tile = Matrix()
        pass = OrdinaryPass(model: model, tables: model.rotaryTables(positions: capacity), tile: tile)
        head = CrossEntropyPass(model: model, tile: tile, logitBytes: 8 << 20)
        keys = model.layers.map { _ in Matrix(batch * capacity, model.keyWidth) }
        values = model.layers.map { _ in Matrix(batch * capacity, model.keyWidth) }
    }

    /// - Parameters:
    ///   - limit: tokens to write after each prompt, unless the capacity or an end token comes first.
    ///   - choose: the next token of sequence s; `nil`: the most likely one.
    /// - Returns: the tokens written after each prompt.
    func write(
        _ prompts: [[Int32]], limit: Int, endTokens: Set<Int>,
        choose: ((_ sequence: Int, _ logits: [Float]) -> Int32)? = nil
    ) throws -> [[Int32]] {
        var texts = prompts
        var isOpen = prompts.map { !$0.isEmpty && $0.count < capacity }
        var position = 0
        while true {
            let rows = texts.indices.filter { isOpen[$0] }
            guard !rows.isEmpty else { break }
            let tokens = rows.map { texts[$0][position] }
            try pass.run(tokens, positions: [Int32](repeating: Int32(position), count: rows.count)) {
                attend($0, $1, rows, position: position, into: $2)
            }
            // Rows that are still inside their prompts know their next token.
            let writing = rows.indices.filter { texts[rows[$0]].count == position + 1 }
            for (row, token) in try next(writing, rows, choose) {
                let text = rows[row]
                texts[text].append(token)
                isOpen[text] =
                    !endTokens.contains(Int(token)) && texts[text].count - prompts[text].count < limit
                    && texts[text].count < capacity
            }
            position += 1
        }
        return zip(texts, prompts).map { Array($0[$1.count...]) }
    }

    private func next(
        _ writing: [Int], _ rows: [Int], _ choose: ((Int, [Float]) -> Int32)?
    ) throws -> [(row: Int, token: Int32)] {
        guard let first = writing.first, let last = writing.last else { return [] }
        // Prompts of one batch are of about one length, so nearly all rows of this range are wanted.
        let range = first..<last + 1
        if let choose {
            return try writing.map { row in
                (row, choose(rows[row], try head.logits(pass.hidden.view(rows: row..<row + 1))))
            }
        }
        let best = try head.best(pass.hidden.view(rows: range))
        return writing.map { ($0, best[$0 - first]) }
    }

    /// Puts the rows' keys and values into the store, then lets each row see its own sequence: one sequence after
    /// the other, so that its keys stay in the cache for all heads.
    private func attend(_ layer: Int, _ queries: Matrix, _ rows: [Int], position: Int, into output: Matrix) {
        let c = model.configuration
        let group = c.headCount / c.keyValueHeadCount
        let oldest = c.layers[layer].slidingWindow.map { max(0, position - $0 + 1) } ?? 0
        own.reshape(group, capacity)
        none.reshape(group, 0)
        output.view.fill(0)
        for (row, text) in rows.enumerated() {
            let place = text * capacity + position
            keys[layer].view(rows: place..<place + 1).copy(from: pass.keys[layer].view(rows: row..<row + 1))
            values[layer].view(rows: place..<place + 1).copy(from: pass.values[layer].view(rows: row..<row + 1))
            let seen = AttentionKernels.row(
                first: 0, last: 0, ownStart: text * capacity + oldest, ownCount: position + 1 - oldest)
            let kernels = AttentionKernels(
                rows: Array(repeating: seen, count: group), headSize: c.headSize, scale: Float(c.attentionScale),
                cap: Float(c.attentionSoftCap ?? 0))
            for head in 0..<c.keyValueHeadCount {
                // The queries that share a key, a row for each.
                let width = group * c.headSize
                let heads = head * width..<(head + 1) * width
                let shared = head * c.headSize..<(head + 1) * c.headSize
                kernels.probabilities(
                    none.view, own: own.view, slopes: nil,
                    queries: queries.view(rows: row..<row + 1, columns: heads).reshaped(group, c.headSize),
                    keys: keys[layer].view.view(columns: shared))
                kernels.addOwn(
                    own.view, values[layer].view.view(columns: shared),
                    to: output.view(rows: row..<row + 1, columns: heads).reshaped(group, c.headSize))
            }
        }
    }
}
