/// Which two neighbouring tokens merge, how early, and into what: (left id, right id) -> (rank, id).
///
/// Open addressing with linear probing; two words per slot.
struct MergeTable: Sendable {
    private var keys: [UInt64]
    private var values: [UInt64]
    private let mask: Int
    private(set) var count = 0

    init(capacity: Int) {
        var size = 16
        while size < capacity * 2 { size *= 2 }
        keys = Array(repeating: .max, count: size)
        values = Array(repeating: 0, count: size)
        mask = size - 1
    }

    @inline(__always)
    private static func key(_ left: Int32, _ right: Int32) -> UInt64 {
        UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
    }

    /// Of two equal pairs the later one counts, as in the reference. No more than `capacity` may be inserted.
    mutating func insert(_ left: Int32, _ right: Int32, rank: UInt32, id: Int32) {
        let key = Self.key(left, right)
        var slot = Int(truncatingIfNeeded: ByteTable.mix(key)) & mask
        while keys[slot] != .max, keys[slot] != key { slot = (slot + 1) & mask }
        if keys[slot] == .max { count += 1 }
        keys[slot] = key
        values[slot] = UInt64(rank) << 32 | UInt64(UInt32(bitPattern: id))
    }

    /// Calls `body` with left id, right id, rank and id of each merge, in no order.
    func visit(_ body: (Int32, Int32, UInt32, Int32) -> Void) {
        for slot in keys.indices where keys[slot] != .max {
            body(
                Int32(truncatingIfNeeded: keys[slot] >> 32), Int32(truncatingIfNeeded: keys[slot]),
                UInt32(truncatingIfNeeded: values[slot] >> 32), Int32(truncatingIfNeeded: values[slot]))
        }
    }

    /// Rank in the upper half, id in the lower; all ones when the two do not merge. Ids must not be negative.
    @inline(__always)
    func find(_ left: Int32, _ right: Int32) -> UInt64 {
        guard left >= 0, right >= 0 else { return .max }
        let key = Self.key(left, right)
        var slot = Int(truncatingIfNeeded: ByteTable.mix(key)) & mask
        while true {
            let found = keys[slot]
            if found == key { return values[slot] }
            if found == .max { return .max }
            slot = (slot + 1) & mask
        }
    }
}
