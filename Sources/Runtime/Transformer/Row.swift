import Kernels

/// One row of a forward pass.
///
/// Rows form a tree that hangs on the last kept row of the sequence: a row sees the kept rows, its ancestors and
/// itself, and nothing else; its position is one more than its parent's. The mixed sequences of multi-token
/// prediction (arXiv 2507.11851) need no more than that: the first mask of a block hangs on the ordinary row that the
/// block belongs to, each further mask on the mask before it, and ordinary rows on ordinary rows.
public struct Row: Hashable, Sendable {
    public enum Input: Hashable, Sendable {
        /// An ordinary row: a token of the vocabulary. Never touches a graft.
        case token(Int)
        /// A mask row: the graft's mask embedding of this index, from 0. Gated updates apply to it.
        case mask(Int)
    }

    public var input: Input
    /// Index, in the same pass, of the row that this one follows, always smaller than its own; `nil`: the last
    /// kept row.
    public var parent: Int?

    public init(_ input: Input, after parent: Int?) {
        self.input = input
        self.parent = parent
    }

    public var isMask: Bool {
        if case .mask = input { true } else { false }
    }

    /// Rows of tokens that follow each other, the first one the last kept row.
    public static func chain(_ tokens: some Collection<Int>) -> [Row] {
        tokens.enumerated().map { index, token in Row(.token(token), after: index == 0 ? nil : index - 1) }
    }
}

/// A pass's rows in the order in which they are computed: ordinary rows first, then masks, each in the caller's
/// order, so that what is done to masks alone is done to one run of rows.
struct RowTree {
    let rows: [Row]
    /// Place of each of the caller's rows.
    let places: [Int]
    let ordinaryCount: Int
    /// By place: distance from the last kept row, from 1.
    let depths: [Int]
    /// By place: the places of the row's ancestors from the root, and itself.
    private let paths: [Int32]
    private let pathStarts: [Int]

    /// - Throws: `RuntimeError.rows` for a parent that does not come before its row, or an ordinary row on a mask.
    init(_ rows: [Row]) throws {
        self.rows = rows
        ordinaryCount = rows.count { !$0.isMask }
        var places = [Int](repeating: 0, count: rows.count)
        var ordinary = 0
        var masked = ordinaryCount
        for (index, row) in rows.enumerated() {
            if let parent = row.parent {
                guard parent >= 0, parent < index else {
                    throw RuntimeError.rows("row \(index) follows row \(parent), which does not come before it")
                }
                guard row.isMask || !rows[parent].isMask else {
                    throw RuntimeError.rows("row \(index) is a token that follows a mask, row \(parent)")
                }
            }
            if row.isMask {
                places[index] = masked
                masked += 1
            } else {
                places[index] = ordinary
                ordinary += 1
            }
        }
        var depths = [Int](repeating: 0, count: rows.count)
        for (index, row) in rows.enumerated() {
            depths[places[index]] = (row.parent.map { depths[places[$0]] } ?? 0) + 1
        }
        // A chain, the usual case, shares one path: row i's is its first i + 1 places.
        let isChain = rows.indices.allSatisfy { rows[$0].parent == ($0 == 0 ? nil : $0 - 1) }
        if isChain {
            paths = places.map { Int32($0) }
            pathStarts = [Int](repeating: 0, count: rows.count)
        } else {
            var starts = [Int](repeating: 0, count: rows.count)
            var paths: [Int32] = []
            paths.reserveCapacity(depths.reduce(0, +))
            for (index, row) in rows.enumerated() {
                let place = places[index]
                starts[place] = paths.count
                if let parent = row.parent.map({ places[$0] }) {
                    for step in 0..<depths[parent] { paths.append(paths[starts[parent] + step]) }
                }
                paths.append(Int32(place))
            }
            self.paths = paths
            pathStarts = starts
        }
        self.places = places
        self.depths = depths
    }

    var count: Int { rows.count }
    var maskCount: Int { rows.count - ordinaryCount }

    /// The same, as the cache takes it.
    var storePaths: KeyValueStore.Paths {
        .init(depths: depths.map { Int64($0) }, starts: pathStarts.map { Int64($0) }, slots: paths)
    }
}
