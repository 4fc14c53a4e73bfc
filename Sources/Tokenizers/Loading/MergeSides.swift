import TensorFiles

/// The two tokens of a merge: as written, and as bytes of the byte alphabet. Reused from merge to merge.
struct MergeSides {
    private(set) var left: [UInt8] = []
    private(set) var right: [UInt8] = []
    private(set) var leftBytes: [UInt8] = []
    private(set) var rightBytes: [UInt8] = []

    mutating func read(_ text: RawSpan, side: Int) {
        text.withUInt8 { (bytes: Span<UInt8>) in read(bytes, 0..<bytes.count, side: side) }
    }

    /// A merge in the old spelling; false unless it has exactly one space.
    mutating func read(line: RawSpan) -> Bool {
        line.withUInt8 { (bytes: Span<UInt8>) in
            var space = -1
            for index in 0..<bytes.count where bytes[index] == UInt8(ascii: " ") {
                guard space < 0 else { return false }
                space = index
            }
            guard space >= 0 else { return false }
            read(bytes, 0..<space, side: 0)
            read(bytes, space + 1..<bytes.count, side: 1)
            return true
        }
    }

    private mutating func read(_ bytes: Span<UInt8>, _ range: Range<Int>, side: Int) {
        if side == 0 {
            Self.copy(bytes, range, to: &left)
            if !ByteAlphabet.decode(bytes, range, into: &leftBytes) { leftBytes = left }
        } else {
            Self.copy(bytes, range, to: &right)
            if !ByteAlphabet.decode(bytes, range, into: &rightBytes) { rightBytes = right }
        }
    }

    private static func copy(_ bytes: Span<UInt8>, _ range: Range<Int>, to array: inout [UInt8]) {
        array.removeAll(keepingCapacity: true)
        for index in range { array.append(bytes[index]) }
    }
}
