/// Reads the wire format of protocol buffers: fields in order, each a number and a value.
///
/// Source: protobuf.dev/programming-guides/encoding. Groups, which no file here uses, are refused.
struct ProtocolBuffer {
    enum Value {
        case varint(UInt64)
        case fixed64(UInt64)
        case bytes(Range<Int>)
        case fixed32(UInt32)

        var int: Int? {
            if case .varint(let value) = self { Int(truncatingIfNeeded: Int64(bitPattern: value)) } else { nil }
        }
        var bool: Bool? { int.map { $0 != 0 } }
        var float: Float? { if case .fixed32(let value) = self { Float(bitPattern: value) } else { nil } }
        var range: Range<Int>? { if case .bytes(let value) = self { value } else { nil } }
    }

    let bytes: [UInt8]
    let file: String
    private var position: Int
    private let end: Int

    init(_ bytes: [UInt8], range: Range<Int>? = nil, file: String) {
        self.bytes = bytes
        self.file = file
        position = range?.lowerBound ?? 0
        end = range?.upperBound ?? bytes.count
    }

    /// The next field, or `nil` at the end of the message.
    mutating func next() throws(TokenizerError) -> (number: Int, value: Value)? {
        guard position < end else { return nil }
        let start = position
        let key = try varint()
        let number = Int(truncatingIfNeeded: key >> 3)
        guard number > 0, key >> 3 < 1 << 29 else { throw failure(start, "field number \(key >> 3)") }
        switch key & 7 {
        case 0: return (number, .varint(try varint()))
        case 1: return (number, .fixed64(try fixed(8)))
        case 2:
            let length = try varint()
            guard length <= UInt64(end - position) else {
                throw failure(start, "field \(number) has \(length) bytes, \(end - position) are left")
            }
            let range = position..<position + Int(length)
            position = range.upperBound
            return (number, .bytes(range))
        case 5: return (number, .fixed32(UInt32(truncatingIfNeeded: try fixed(4))))
        default: throw failure(start, "field \(number) has wire type \(key & 7)")
        }
    }

    private mutating func varint() throws(TokenizerError) -> UInt64 {
        var value: UInt64 = 0
        let start = position
        for shift in stride(from: UInt64(0), to: 70, by: 7) {
            guard position < end else { throw failure(start, "the data ends inside a number") }
            let byte = bytes[position]
            position += 1
            value |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return value }
        }
        throw failure(start, "a number of more than ten bytes")
    }

    private mutating func fixed(_ count: Int) throws(TokenizerError) -> UInt64 {
        guard end - position >= count else { throw failure(position, "the data ends inside a number") }
        defer { position += count }
        return (0..<count).reduce(0) { $0 | UInt64(bytes[position + $1]) << UInt64(8 * $1) }
    }

    private func failure(_ offset: Int, _ reason: String) -> TokenizerError {
        .badProtocolBuffer(file: file, offset: offset, reason: reason)
    }
}
