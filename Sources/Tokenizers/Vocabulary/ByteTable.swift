/// Byte strings with dense numbers, found by their bytes without making a string.
///
/// Open addressing with linear probing over ids; the bytes of all entries lie in one array. Entries are appended and
/// never removed.
struct ByteTable: Sendable {
    private(set) var blob: [UInt8] = []
    /// Where entry i begins; one more than there are entries.
    private(set) var starts: [UInt32] = [0]
    /// Upper half: 32 bits of the hash; lower half: entry + 1, or 0 when free.
    private var slots: [UInt64]
    private var mask: Int

    init(capacity: Int = 0, byteCapacity: Int = 0) {
        var size = 16
        while size < capacity * 2 { size *= 2 }
        slots = Array(repeating: 0, count: size)
        mask = size - 1
        blob.reserveCapacity(byteCapacity)
        starts.reserveCapacity(capacity + 1)
    }

    var count: Int { starts.count - 1 }

    func range(of entry: Int) -> Range<Int> { Int(starts[entry])..<Int(starts[entry + 1]) }
    func bytes(of entry: Int) -> ArraySlice<UInt8> { blob[range(of: entry)] }

    /// The entry whose bytes are `text[range]`, or -1.
    @inline(__always)
    func find(_ text: borrowing Span<UInt8>, _ range: Range<Int>) -> Int {
        let hash = Self.hash(text, range)
        return find(text, range, hash: hash)
    }

    @inline(__always)
    private func find(_ text: borrowing Span<UInt8>, _ range: Range<Int>, hash: UInt64) -> Int {
        var slot = Int(truncatingIfNeeded: hash) & mask
        let tag = hash >> 32
        while true {
            let value = slots[slot]
            if value == 0 { return -1 }
            if value >> 32 == tag {
                let entry = Int(value & 0xFFFF_FFFF) - 1
                if equals(entry, text, range) { return entry }
            }
            slot = (slot + 1) & mask
        }
    }

    func find(_ bytes: [UInt8]) -> Int { find(bytes.span, 0..<bytes.count) }

    @inline(__always)
    private func equals(_ entry: Int, _ text: borrowing Span<UInt8>, _ range: Range<Int>) -> Bool {
        let start = Int(starts[entry])
        guard Int(starts[entry + 1]) - start == range.count else { return false }
        for index in 0..<range.count where blob[start + index] != text[range.lowerBound + index] { return false }
        return true
    }

    /// Appends an entry; returns its number, or `nil` when equal bytes are there already.
    ///
    /// With `findable` false the entry can be read by its number only.
    @discardableResult
    mutating func append(_ text: borrowing Span<UInt8>, _ range: Range<Int>, findable: Bool = true) -> Int? {
        let entry = count
        if findable {
            let hash = Self.hash(text, range)
            if find(text, range, hash: hash) >= 0 { return nil }
            if (entry + 1) * 2 > slots.count { grow() }
            insert(entry, hash: hash)
        }
        for index in range { blob.append(text[index]) }
        starts.append(UInt32(blob.count))
        return entry
    }

    @discardableResult
    mutating func append(_ bytes: [UInt8], findable: Bool = true) -> Int? {
        append(bytes.span, 0..<bytes.count, findable: findable)
    }

    private mutating func insert(_ entry: Int, hash: UInt64) {
        var slot = Int(truncatingIfNeeded: hash) & mask
        while slots[slot] != 0 { slot = (slot + 1) & mask }
        slots[slot] = (hash & 0xFFFF_FFFF_0000_0000) | UInt64(entry + 1)
    }

    private mutating func grow() {
        let old = slots
        slots = Array(repeating: 0, count: old.count * 2)
        mask = slots.count - 1
        for value in old where value != 0 {
            let entry = Int(value & 0xFFFF_FFFF) - 1
            insert(entry, hash: Self.hash(blob.span, range(of: entry)))
        }
    }

    /// Multiply and mix, eight bytes at a time.
    @inline(__always)
    static func hash(_ text: borrowing Span<UInt8>, _ range: Range<Int>) -> UInt64 {
        var hash = UInt64(range.count) &* 0x9E37_79B9_7F4A_7C15
        var index = range.lowerBound
        while index < range.upperBound {
            var word: UInt64 = 0
            let end = min(index + 8, range.upperBound)
            while index < end {
                word = word << 8 | UInt64(text[index])
                index += 1
            }
            hash = mix(hash ^ word)
        }
        return hash
    }

    @inline(__always)
    static func mix(_ value: UInt64) -> UInt64 {
        let product = value.multipliedFullWidth(by: 0xD6E8_FEB8_6659_FD93)
        return product.low ^ product.high
    }
}
