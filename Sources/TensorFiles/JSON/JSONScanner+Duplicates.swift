extension JSONScanner {
    /// Throws when two keys of the object at entry `object` are the same text, however they are escaped.
    ///
    /// Open addressing over the keys' hashes, so that an object of 10⁶ keys costs as many look-ups.
    func refuseDuplicates(in object: Int, _ bytes: Span<UInt8>) throws(Failure) {
        var keys: [Int] = []
        var entry = object + 1
        while entry < Int(entries[object].next) {
            keys.append(entry)
            entry = Int(entries[entry + 1].next)
        }
        guard keys.count > 1 else { return }
        var capacity = 4
        while capacity < keys.count * 2 { capacity *= 2 }
        var slots = [Int32](repeating: -1, count: capacity)
        // A seed that differs from run to run keeps a hostile file from choosing keys that collide.
        let seed = UInt64(bitPattern: Int64(Self.seed))
        for (number, key) in keys.enumerated() {
            var slot = Int(truncatingIfNeeded: hash(key, bytes, seed)) & (capacity - 1)
            while slots[slot] >= 0 {
                let other = keys[Int(slots[slot])]
                if areEqual(key, other, bytes) {
                    throw Failure(
                        offset: Int(entries[key].start) - 1,
                        reason: "the key \(text(key, bytes).quotedForMessages) occurs twice")
                }
                slot = (slot + 1) & (capacity - 1)
            }
            slots[slot] = Int32(number)
        }
    }

    private static let seed = "duplicate keys".hashValue

    private func content(_ key: Int, _ bytes: Span<UInt8>) -> [UInt8] {
        let part = bytes.extracting(Int(entries[key].start)..<Int(entries[key].end))
        return JSONEscape.decode(part)
    }

    private func text(_ key: Int, _ bytes: Span<UInt8>) -> String {
        String(decoding: content(key, bytes), as: UTF8.self)
    }

    private func hash(_ key: Int, _ bytes: Span<UInt8>, _ seed: UInt64) -> UInt64 {
        func mix(_ state: UInt64, _ byte: UInt8) -> UInt64 {
            let product = (state ^ UInt64(byte)).multipliedFullWidth(by: 0x9E37_79B9_7F4A_7C15)
            return product.high ^ product.low
        }
        var state = seed
        if entries[key].isEscaped {
            for byte in content(key, bytes) { state = mix(state, byte) }
        } else {
            for index in Int(entries[key].start)..<Int(entries[key].end) { state = mix(state, bytes[index]) }
        }
        return state ^ (state >> 32)
    }

    private func areEqual(_ one: Int, _ other: Int, _ bytes: Span<UInt8>) -> Bool {
        if entries[one].isEscaped || entries[other].isEscaped { return content(one, bytes) == content(other, bytes) }
        let count = Int(entries[one].end - entries[one].start)
        guard count == Int(entries[other].end - entries[other].start) else { return false }
        for index in 0..<count
        where bytes[Int(entries[one].start) + index] != bytes[Int(entries[other].start) + index] {
            return false
        }
        return true
    }
}
