/// From the texts of tokens back to text: `tokenizer.json`'s "decoder".
indirect enum TokenDecoder: Sendable {
    case sequence([TokenDecoder])
    /// Characters of the byte alphabet become their bytes.
    case byteLevel
    /// Tokens written <0x0A> become their bytes; runs of them that are not UTF-8 one U+FFFD for each.
    case byteFallback
    case fuse
    case replace([UInt8], with: [UInt8])
    /// Takes up to so many of a character from the start and the end of each part.
    case strip([UInt8], start: Int, stop: Int)
    case metaspace(mark: [UInt8], dropsFirst: Bool)
    /// Tokens that end a word carry a suffix, which becomes a space.
    case suffix([UInt8])

    func decode(_ parts: [[UInt8]]) -> [[UInt8]] {
        switch self {
        case .sequence(let decoders): return decoders.reduce(parts) { $1.decode($0) }
        case .byteLevel: return [parts.flatMap { ByteAlphabet.decode($0) ?? $0 }]
        case .byteFallback: return Self.joinBytes(parts)
        case .fuse: return [Array(parts.joined())]
        case .replace(let old, let new): return parts.map { Normalizer.replace($0, old, new) }
        case .strip(let character, let start, let stop):
            return parts.map { part in
                var part = part[...]
                for _ in 0..<start where !character.isEmpty && part.starts(with: character) {
                    part = part.dropFirst(character.count)
                }
                for _ in 0..<stop
                where !character.isEmpty && part.count >= character.count
                    && part.suffix(character.count).elementsEqual(character)
                {
                    part = part.dropLast(character.count)
                }
                return Array(part)
            }
        case .metaspace(let mark, let dropsFirst):
            return parts.enumerated().map { index, part in
                let spaced = Normalizer.replace(part, mark, [UInt8(ascii: " ")])
                return index == 0 && dropsFirst && spaced.first == UInt8(ascii: " ")
                    ? Array(spaced.dropFirst()) : spaced
            }
        case .suffix(let suffix):
            return parts.enumerated().map { index, part in
                Normalizer.replace(part, suffix, index == parts.count - 1 ? [] : [UInt8(ascii: " ")])
            }
        }
    }

    /// The byte that "<0x0A>" stands for.
    static func byte(_ text: some BidirectionalCollection<UInt8>) -> UInt8? {
        guard text.count == 6, text.starts(with: "<0x".utf8), text.last == UInt8(ascii: ">") else { return nil }
        return UInt8(String(decoding: text.dropFirst(3).dropLast(), as: UTF8.self), radix: 16)
    }

    private static func joinBytes(_ parts: [[UInt8]]) -> [[UInt8]] {
        var result: [[UInt8]] = []
        var run: [UInt8] = []
        func flush() {
            guard !run.isEmpty else { return }
            let valid = String(validating: run, as: UTF8.self) != nil
            result.append(valid ? run : Array(run.map { _ in [0xEF, 0xBF, 0xBD] as [UInt8] }.joined()))
            run = []
        }
        for part in parts {
            if let byte = byte(part) {
                run.append(byte)
            } else {
                flush()
                result.append(part)
            }
        }
        flush()
        return result
    }
}
