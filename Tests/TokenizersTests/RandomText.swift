/// A generator whose numbers are the same in every run (SplitMix64).
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64
    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ value >> 30) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ value >> 27) &* 0x94D0_49BB_1331_11EB
        return value ^ value >> 31
    }
}

/// Text of many scripts, spaces, marks and digits, and characters of all planes.
enum RandomText {
    private static let ranges: [ClosedRange<UInt32>] = [
        0x20...0x7E, 0x20...0x7E, 0x0...0xFF, 0x100...0x5FF, 0x600...0x11FF, 0x1780...0x17FF, 0x2000...0x26FF,
        0x3000...0x31FF, 0x4E00...0x9FFF, 0xAC00...0xD7A3, 0x1F300...0x1FBFF, 0x0...0x10FFFF, 0x300...0x36F,
        0x30...0x39,
    ]
    private static let pieces = [" ", "  ", "\n", "\t", "\r\n", " \n ", "'s", "'LL", "\u{3000}", "\u{85}", "▁", "Ġ"]

    static func make(_ random: inout SeededGenerator) -> String {
        var text = String.UnicodeScalarView()
        for _ in 0..<Int.random(in: 1...12, using: &random) {
            if Bool.random(using: &random) {
                text.append(contentsOf: pieces.randomElement(using: &random)!.unicodeScalars)
            }
            let range = ranges.randomElement(using: &random)!
            for _ in 0..<Int.random(in: 1...8, using: &random) {
                if let scalar = Unicode.Scalar(UInt32.random(in: range, using: &random)) { text.append(scalar) }
            }
        }
        return String(text)
    }
}
