/// Which two neighbouring symbols merge; see `SymbolMerger`.
protocol MergeRule {
    /// Rank in the upper half (lower merges earlier), id of the result in the lower; all ones when they do not merge.
    /// `range` is the text that the two symbols cover.
    func candidate(_ left: Int32, _ right: Int32, range: Range<Int>) -> UInt64
}

/// Merges neighbouring symbols in order of rank, and of place where ranks are equal, until no pair merges.
///
/// Short words: the smallest rank by looking at all pairs. Long ones: a heap over a linked list, O(n log n), so that a
/// megabyte of one letter is no trap. Kept between words for its memory.
struct SymbolMerger {
    /// Ids of the symbols; negative: in no vocabulary. After `merge`: of the tokens.
    private(set) var ids: [Int32] = []
    /// Where symbol i begins; one more than there are symbols.
    private(set) var starts: [Int] = []
    private var candidates: [UInt64] = []
    private var next: [Int32] = []
    private var previous: [Int32] = []
    private var heap = BinaryHeap()

    static let shortWord = 40

    mutating func reset(start: Int) {
        ids.removeAll(keepingCapacity: true)
        starts.removeAll(keepingCapacity: true)
        starts.append(start)
    }

    @inline(__always)
    mutating func append(_ id: Int32, end: Int) {
        ids.append(id)
        starts.append(end)
    }

    mutating func merge(_ rule: some MergeRule) {
        guard ids.count > 1 else { return }
        if ids.count <= Self.shortWord { mergeShort(rule) } else { mergeLong(rule) }
    }

    private mutating func mergeShort(_ rule: some MergeRule) {
        candidates.removeAll(keepingCapacity: true)
        for index in 0..<ids.count - 1 {
            candidates.append(rule.candidate(ids[index], ids[index + 1], range: starts[index]..<starts[index + 2]))
        }
        while true {
            var best = UInt64.max >> 32
            var place = -1
            for index in 0..<candidates.count where candidates[index] >> 32 < best {
                best = candidates[index] >> 32
                place = index
            }
            guard place >= 0 else { return }
            ids[place] = Int32(truncatingIfNeeded: candidates[place])
            ids.remove(at: place + 1)
            starts.remove(at: place + 1)
            candidates.remove(at: place)
            if place < candidates.count {
                candidates[place] = rule.candidate(
                    ids[place], ids[place + 1], range: starts[place]..<starts[place + 2])
            }
            if place > 0 {
                candidates[place - 1] = rule.candidate(
                    ids[place - 1], ids[place], range: starts[place - 1]..<starts[place + 1])
            }
        }
    }

    /// Rank and place in one number, so that the heap's order is the order of merging.
    @inline(__always)
    private static func note(_ candidate: UInt64, _ place: Int) -> UInt64 {
        candidate & 0xFFFF_FFFF_0000_0000 | UInt64(place)
    }

    private mutating func mergeLong(_ rule: some MergeRule) {
        let count = ids.count
        next.removeAll(keepingCapacity: true)
        previous.removeAll(keepingCapacity: true)
        heap.removeAll()
        for index in 0..<count {
            next.append(Int32(index + 1))
            previous.append(Int32(index - 1))
            guard index + 1 < count else { break }
            let found = rule.candidate(ids[index], ids[index + 1], range: starts[index]..<starts[index + 2])
            if found != .max { heap.append(Self.note(found, index)) }
        }
        heap.order()
        let merged: Int32 = -2
        while let top = heap.pop() {
            let left = Int(top & 0xFFFF_FFFF)
            guard ids[left] != merged else { continue }
            let right = Int(next[left])
            guard right < count else { continue }
            // A pair that has changed since it was noted has a note of its own.
            let found = rule.candidate(ids[left], ids[right], range: starts[left]..<starts[Int(next[right])])
            guard found != .max, found >> 32 == top >> 32 else { continue }
            ids[left] = Int32(truncatingIfNeeded: found)
            ids[right] = merged
            let after = Int(next[right])
            next[left] = Int32(after)
            if after < count {
                previous[after] = Int32(left)
                let found = rule.candidate(ids[left], ids[after], range: starts[left]..<starts[Int(next[after])])
                if found != .max { heap.push(Self.note(found, left)) }
            }
            let before = Int(previous[left])
            if before >= 0 {
                let found = rule.candidate(ids[before], ids[left], range: starts[before]..<starts[after])
                if found != .max { heap.push(Self.note(found, before)) }
            }
        }
        var kept = 0
        for index in 0..<count where ids[index] != merged {
            ids[kept] = ids[index]
            starts[kept] = starts[index]
            kept += 1
        }
        starts[kept] = starts[count]
        ids.removeLast(count - kept)
        starts.removeLast(count - kept)
    }
}

/// A binary heap of numbers, smallest first.
struct BinaryHeap {
    private var items: [UInt64] = []

    mutating func removeAll() { items.removeAll(keepingCapacity: true) }

    /// Adds without ordering; `order` must follow.
    mutating func append(_ item: UInt64) { items.append(item) }

    mutating func order() {
        var index = items.count / 2
        while index > 0 {
            index -= 1
            sink(index)
        }
    }

    mutating func push(_ item: UInt64) {
        items.append(item)
        var child = items.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard item < items[parent] else { break }
            items[child] = items[parent]
            child = parent
        }
        items[child] = item
    }

    mutating func pop() -> UInt64? {
        guard let first = items.first, let last = items.popLast() else { return nil }
        if !items.isEmpty {
            items[0] = last
            sink(0)
        }
        return first
    }

    private mutating func sink(_ start: Int) {
        let item = items[start]
        var parent = start
        while true {
            var child = 2 * parent + 1
            guard child < items.count else { break }
            if child + 1 < items.count, items[child + 1] < items[child] { child += 1 }
            guard items[child] < item else { break }
            items[parent] = items[child]
            parent = child
        }
        items[parent] = item
    }
}
