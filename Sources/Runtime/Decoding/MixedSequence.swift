import Foundation
public import Kernels
public import ModelGraph
import TensorFiles

/// A mixed sequence given from outside, and everything that a model with a graft says about it in one pass: what
/// other programs compare their own numbers with.
public struct MixedSequence: Sendable {
    /// 0 for a token, j for mask m_j, one entry a row.
    public let kinds: [Int]
    /// Ids of the tokens; what stands for masks is not read.
    public let tokens: [Int]
    /// The rows as a pass takes them, in the given order.
    public let rows: [Row]
    /// Indices of the mask rows, and for each the token before the one that it predicts.
    public let maskRows: [Int]
    public let previousTokens: [Int]

    /// - Parameters:
    ///   - blocks: for a token, a number that grows along the sequence; for a mask, the number of the token that its
    ///     block hangs on.
    ///   - positions: tokens count from 0; mask j is at the position of its block's token plus j.
    /// - Throws: `RuntimeError.rows` naming the first row that breaks these rules.
    public init(kinds: [Int], tokens: [Int], positions: [Int], blocks: [Int]) throws {
        guard !kinds.isEmpty, tokens.count == kinds.count, positions.count == kinds.count, blocks.count == kinds.count
        else {
            throw RuntimeError.rows(
                "kind, token, position and block must have one entry a row, they have \(kinds.count), "
                    + "\(tokens.count), \(positions.count) and \(blocks.count)")
        }
        var rows: [Row] = []
        /// The row of each block's last member so far, and its token's row.
        var last: [Int: Int] = [:]
        var ordinary: [Int] = []
        var maskRows: [Int] = []
        for (index, kind) in kinds.enumerated() {
            let block = blocks[index]
            if kind == 0 {
                if let before = ordinary.last, blocks[before] >= block {
                    throw RuntimeError.rows(
                        "row \(index) is a token of block \(block), after block \(blocks[before])")
                }
                guard positions[index] == ordinary.count else {
                    throw RuntimeError.rows(
                        "row \(index) is token \(ordinary.count) of the sequence, its position is \(positions[index])"
                    )
                }
                rows.append(Row(.token(tokens[index]), after: ordinary.last))
                ordinary.append(index)
            } else {
                guard kind > 0, let parent = last[block] else {
                    throw RuntimeError.rows(
                        "row \(index) is of kind \(kind) in block \(block), which has no token yet")
                }
                guard kinds[parent] == kind - 1, positions[index] == positions[parent] + 1 else {
                    throw RuntimeError.rows(
                        "row \(index) is mask \(kind) at position \(positions[index]), it follows kind "
                            + "\(kinds[parent]) at position \(positions[parent])")
                }
                rows.append(Row(.mask(kind - 1), after: parent))
                maskRows.append(index)
            }
            last[block] = index
        }
        previousTokens = try maskRows.map { row in
            guard positions[row] < ordinary.count else {
                throw RuntimeError.rows("row \(row) is a mask at position \(positions[row]), past the last token")
            }
            return tokens[ordinary[positions[row]]]
        }
        self.kinds = kinds
        self.tokens = tokens
        self.rows = rows
        self.maskRows = maskRows
    }

    /// What a model says about every row.
    public struct Results: Sendable {
        /// [rows, hidden]: after the final norm.
        public var hidden: [Float]
        /// [rows, vocabulary]
        public var logits: [Float]
        /// [mask rows, vocabulary]: through the sampler head, given the true token before.
        public var samplerLogits: [Float]
    }

    /// Passes all rows at once over an empty sequence.
    public func evaluate(
        _ model: Transformer, graft: LoadedGraft, cache: KeyValueStore.Precision = .f32
    ) throws -> Results {
        let configuration = model.configuration
        let (width, vocabulary) = (configuration.hiddenSize, configuration.vocabularySize)
        guard rows.count <= configuration.contextLength + TokenSequence.scratchRows else {
            throw RuntimeError.contextFull(needed: rows.count, capacity: configuration.contextLength)
        }
        let sequence = try TokenSequence(
            model, capacity: min(configuration.contextLength, rows.count), precision: cache, adaptation: graft)
        try sequence.forward(rows)
        let all = Array(rows.indices)
        let hidden = try FloatBuffer(count: all.count * width)
        sequence.hidden(of: all, into: hidden)
        var results = Results(hidden: hidden.array(0..<hidden.count), logits: [], samplerLogits: [])
        for start in stride(from: 0, to: all.count, by: 64) {
            let run = Array(all[start..<min(all.count, start + 64)])
            let logits = try sequence.logits(of: run)
            results.logits += logits.buffer.array(0..<run.count * vocabulary)
        }
        guard !maskRows.isEmpty else { return results }
        let head = try SamplerHead(graft, model: model)
        let unembedding = Unembedding(model)
        sequence.hidden(of: maskRows, into: try head.input(rows: maskRows.count))
        try head.begin(rows: maskRows.count)
        for (index, previous) in previousTokens.enumerated() {
            try head.draft(row: index, after: previous, into: try unembedding.input(rows: 1), at: 0)
            results.samplerLogits += try unembedding.logits(rows: 1).buffer.array(0..<vocabulary)
        }
        return results
    }
}

extension MixedSequence {
    /// Reads a layout from a safetensors file: `layout.kind`, `layout.token`, `layout.position` and `layout.block`.
    public init(file path: String) throws {
        let file = try SafetensorsFile(path: path)
        func integers(_ name: String) throws -> [Int] {
            guard let tensor = file.tensors.first(where: { $0.name == name }) else {
                throw RuntimeError.missingTensor(name)
            }
            guard tensor.elementCount < 1 << 20, tensor.type == .i64 || tensor.type == .i32 else {
                throw RuntimeError.shape(tensor: name, expected: [1 << 20], found: tensor.shape)
            }
            let width = tensor.type == .i64 ? 8 : 4
            return try tensor.withBytes(rows: 0..<tensor.rowCount) { bytes in
                (0..<tensor.elementCount).map { index in
                    width == 8
                        ? Int(bytes.loadLittleEndian(index * 8, as: Int64.self))
                        : Int(bytes.loadLittleEndian(index * 4, as: Int32.self))
                }
            }
        }
        try self.init(
            kinds: integers("layout.kind"), tokens: integers("layout.token"), positions: integers("layout.position"),
            blocks: integers("layout.block"))
    }
}

extension MixedSequence.Results {
    /// Writes `z`, `logits`, `base_logits` (the same) and `sampler_logits` to a safetensors file.
    public func write(to path: String, configuration: ModelConfiguration, overwrites: Bool) throws {
        let (width, vocabulary) = (configuration.hiddenSize, configuration.vocabularySize)
        let parts: [(name: String, values: [Float], width: Int)] = [
            ("z", hidden, width), ("logits", logits, vocabulary), ("base_logits", logits, vocabulary),
            ("sampler_logits", samplerLogits, vocabulary),
        ]
        let url = URL(fileURLWithPath: path)
        let plan = try OutputPlan.safetensors(
            parts.map {
                try TensorDeclaration(name: $0.name, shape: [$0.values.count / $0.width, $0.width], type: .f32)
            }, name: url.lastPathComponent, digests: false)
        let writer = try CheckpointWriter(
            plan, folder: url.deletingLastPathComponent().path,
            options: .init(overwrites: overwrites, keepsPartial: false))
        for index in plan.writingOrder {
            let values = parts[index].values
            try writer.append(unsafe values.span.bytes)
        }
        try writer.finish()
    }
}
