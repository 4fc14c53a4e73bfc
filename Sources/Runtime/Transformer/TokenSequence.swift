public import Kernels
public import ModelGraph

/// One text on its way through a model: the keys and values of its kept tokens, and the rows of the last pass.
///
/// A pass computes rows; `keep` makes some of them part of the sequence; the next pass forgets the others. A row's
/// results are the same to the bit alone or among others, at any place of any pass, on any number of threads,
/// however its prefix was cut into passes. Used by one thread at a time.
public final class TokenSequence {
    public let model: Transformer
    /// Most tokens the sequence can hold.
    public let capacity: Int
    public let adaptation: (any MaskAdaptation)?
    /// The tokens kept so far.
    public private(set) var tokens: [Int] = []
    /// Time of all passes so far, by part.
    public internal(set) var times = PassDurations()

    let cache: KeyValueStore
    /// Angles of each of the configuration's rotary embeddings.
    let rotaries: [RotaryFrequencies]
    var workspace: Workspace
    var maskWorkspace: MaskWorkspace?
    /// The last pass, and whether its rows may still be kept.
    private var tree: RowTree?
    private var canKeep = false
    private let slots: Int
    private lazy var unembedding = Unembedding(model)

    /// Rows that a pass may have beyond the free positions, for branches and masks.
    public static let scratchRows = 128

    /// - Parameters:
    ///   - capacity: positions, at most the model's context length; also what decides between a long-context rotary's
    ///     two sets of divisors.
    ///   - adaptation: a graft, for passes with mask rows.
    /// - Throws: `RuntimeError.contextTooLong`, or `.memory` when the cache would take more than is free.
    public init(
        _ model: Transformer, capacity: Int, precision: KeyValueStore.Precision = .f16,
        adaptation: (any MaskAdaptation)? = nil
    ) throws {
        let c = model.configuration
        guard capacity >= 1, capacity <= c.contextLength else {
            throw RuntimeError.contextTooLong(needed: capacity, limit: c.contextLength)
        }
        slots = capacity + Self.scratchRows
        let shape = Self.shape(c, capacity: capacity, precision: precision)
        guard let bytes = shape.byteCount else {
            throw RuntimeError.memory(needed: .max, available: MachineMemory.available, what: "the cache")
        }
        guard bytes <= MachineMemory.available else {
            throw RuntimeError.memory(
                needed: bytes, available: MachineMemory.available,
                what: "a cache of \(capacity) positions in \(precision.rawValue)")
        }
        cache = try KeyValueStore(shape, instructionSet: model.pool.instructionSet)
        self.model = model
        self.capacity = capacity
        self.adaptation = adaptation
        rotaries = c.rotaries.map { RotaryFrequencies($0, context: capacity) }
        workspace = try Workspace(c, capacity: 1, pool: model.pool)
    }

    /// Bytes that a sequence's cache takes when it is full.
    public static func cacheBytes(
        _ configuration: ModelConfiguration, capacity: Int, precision: KeyValueStore.Precision
    ) -> Int? {
        shape(configuration, capacity: capacity, precision: precision).byteCount
    }

    private static func shape(
        _ c: ModelConfiguration, capacity: Int, precision: KeyValueStore.Precision
    ) -> KeyValueStore.Shape {
        KeyValueStore.Shape(
            blocks: c.layers.count, heads: c.keyValueHeadCount, headSize: c.headSize,
            capacity: capacity + scratchRows, precision: precision)
    }

    /// Tokens kept so far.
    public var count: Int { tokens.count }

    /// Computes rows that hang on the kept tokens; what an earlier pass left unkept is forgotten.
    ///
    /// - Throws: `RuntimeError.rows`, `.token`, `.mask` or `.contextFull` before anything is computed;
    ///   `.notFinite` with the block where numbers stopped being numbers.
    public func forward(_ rows: [Row], observer: (any ForwardObserver)? = nil) throws {
        (tree, canKeep) = (nil, false)
        guard !rows.isEmpty else { return }
        let tree = try RowTree(rows)
        try admit(tree)
        try reserve(rows: tree.count, masks: tree.maskCount)
        try ForwardPass(sequence: self, tree: tree, observer: observer).run()
        self.tree = tree
        canKeep = true
    }

    /// Makes rows of the last pass part of the sequence, in order along one path from the last kept token; all other
    /// rows are forgotten. Once for each pass; its hidden rows and logits stay there to be asked for.
    public func keep(_ rows: [Int]) {
        guard let tree, canKeep else {
            precondition(rows.isEmpty, "there is no pass to keep rows of")
            return
        }
        canKeep = false
        var previous: Int?
        var kept: [Int] = []
        for row in rows {
            guard case .token(let token) = tree.rows[row].input else { preconditionFailure("masks are not kept") }
            precondition(tree.rows[row].parent == previous, "kept rows follow each other from the last kept token")
            kept.append(token)
            previous = row
        }
        for (index, row) in rows.enumerated() {
            cache.move(from: tokens.count + tree.places[row], to: tokens.count + index)
        }
        tokens += kept
    }

    /// Forgets all but the first `count` tokens, and the last pass.
    public func truncate(to count: Int) {
        precondition(count >= 0 && count <= tokens.count, "more tokens than the sequence holds")
        tokens.removeLast(tokens.count - count)
        tree = nil
    }

    /// Computes and keeps tokens in passes of at most `chunk` rows. The last pass's rows can still be asked for logits
    /// until the next pass: `lastRow` is the last token's.
    public func append(_ newTokens: [Int], chunk: Int = 256) throws {
        guard newTokens.count <= capacity - count else {
            throw RuntimeError.contextFull(needed: count + newTokens.count, capacity: capacity)
        }
        var start = 0
        while start < newTokens.count {
            let run = newTokens[start..<min(newTokens.count, start + chunk)]
            try forward(Row.chain(run))
            // A chain already lies where kept rows lie.
            tokens += run
            canKeep = false
            start += run.count
        }
    }

    /// The last row of the last pass, in the caller's numbering.
    public var lastRow: Int? { tree.map { $0.count - 1 } }

    private func admit(_ tree: RowTree) throws {
        let vocabulary = model.configuration.vocabularySize
        var deepest = 0
        for (index, row) in tree.rows.enumerated() {
            switch row.input {
            case .token(let token):
                guard token >= 0, token < vocabulary else {
                    throw RuntimeError.token(token, vocabulary: vocabulary)
                }
                deepest = max(deepest, tree.depths[tree.places[index]])
            case .mask(let mask):
                let available = adaptation?.maskCount ?? 0
                guard mask >= 0, mask < available else { throw RuntimeError.mask(mask, available: available) }
            }
        }
        guard count + deepest <= capacity, count + tree.count <= slots else {
            throw RuntimeError.contextFull(needed: count + max(deepest, tree.count), capacity: capacity)
        }
    }

    private func reserve(rows: Int, masks: Int) throws {
        if rows > workspace.capacity {
            // Grown in steps, so that a decoder with passes of changing size does not allocate at each.
            let capacity = rows <= 16 ? 16 : (rows + 63) / 64 * 64
            let bytes = Workspace.bytesPerRow(model.configuration) * capacity
            guard bytes <= MachineMemory.available else {
                throw RuntimeError.memory(
                    needed: bytes, available: MachineMemory.available, what: "a pass of \(rows) rows")
            }
            workspace = try Workspace(model.configuration, capacity: capacity, pool: model.pool)
        }
        if masks > maskWorkspace?.capacity ?? 0 {
            maskWorkspace = try MaskWorkspace(model.configuration, capacity: (masks + 15) / 16 * 16, pool: model.pool)
        }
    }

    // MARK: Results of the last pass

    /// Copies hidden rows after the final norm, `z`, of rows of the last pass one after the other.
    public func hidden(of rows: [Int], into buffer: FloatBuffer, at offset: Int = 0) {
        let width = model.configuration.hiddenSize
        for (index, row) in rows.enumerated() {
            let start = place(of: row) * width
            buffer.copy(start..<start + width, of: workspace.final, to: offset + index * width)
        }
    }

    /// Logits of rows of the last pass, for all of the vocabulary or for chosen tokens of it, in one product.
    ///
    /// The result's memory is the sequence's own and is overwritten by the next call.
    public func logits(of rows: [Int], tokens chosen: [UInt32]? = nil) throws -> LogitRows {
        let started = ContinuousClock.now
        let z = try unembedding.input(rows: rows.count)
        hidden(of: rows, into: z)
        let result = try unembedding.logits(rows: rows.count, tokens: chosen)
        times.unembedding += started.duration(to: .now)
        guard result.areFinite else { throw RuntimeError.notFinite(block: nil, part: "logits") }
        return result
    }

    private func place(of row: Int) -> Int {
        guard let tree else { preconditionFailure("there is no pass whose rows could be asked for") }
        return tree.places[row]
    }
}

/// Time spent in passes, by part.
public struct PassDurations: Hashable, Sendable {
    public var layers = Duration.zero
    public var attention = Duration.zero
    public var unembedding = Duration.zero

    public init() {}
}
