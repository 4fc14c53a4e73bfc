/// GPT-2's printable spelling of bytes: each of the 256 bytes has one visible character, so that a token of any bytes
/// can stand in a text file. Printable Latin-1 characters stand for themselves; the other 68 bytes, in order, for
/// U+0100, U+0101, …
enum ByteAlphabet {
    /// The character of each byte.
    static let scalars: [Unicode.Scalar] = {
        var next: UInt32 = 0x100
        return (0..<256).map { (byte: UInt32) in
            if (0x21...0x7E).contains(byte) || (0xA1...0xAC).contains(byte) || (0xAE...0xFF).contains(byte) {
                return Unicode.Scalar(byte)!
            }
            defer { next += 1 }
            return Unicode.Scalar(next)!
        }
    }()

    /// The byte of each character below U+0144; -1 where there is none.
    private static let bytes: [Int16] = {
        var bytes = [Int16](repeating: -1, count: 0x144)
        for (byte, scalar) in scalars.enumerated() { bytes[Int(scalar.value)] = Int16(byte) }
        return bytes
    }()

    /// The bytes that `text` spells, or `nil` when one of its characters stands for no byte.
    static func decode(_ text: borrowing Span<UInt8>, _ range: Range<Int>, into result: inout [UInt8]) -> Bool {
        result.removeAll(keepingCapacity: true)
        var index = range.lowerBound
        while index < range.upperBound {
            let lead = text[index]
            var value = Int(lead)
            index += 1
            if lead >= 0x80 {
                guard lead >= 0xC2, lead <= 0xC5, index < range.upperBound else { return false }
                value = Int(lead & 0x1F) << 6 | Int(text[index] & 0x3F)
                index += 1
            }
            guard value < bytes.count, bytes[value] >= 0 else { return false }
            result.append(UInt8(bytes[value]))
        }
        return true
    }

    static func decode(_ text: [UInt8]) -> [UInt8]? {
        var result: [UInt8] = []
        return decode(text.span, 0..<text.count, into: &result) ? result : nil
    }

    /// The visible spelling of `bytes`, in UTF-8.
    static func encode(_ bytes: some Sequence<UInt8>) -> [UInt8] {
        var result: [UInt8] = []
        for byte in bytes {
            let value = scalars[Int(byte)].value
            if value < 0x80 {
                result.append(UInt8(value))
            } else {
                result.append(0xC0 | UInt8(value >> 6))
                result.append(0x80 | UInt8(value & 0x3F))
            }
        }
        return result
    }
}
