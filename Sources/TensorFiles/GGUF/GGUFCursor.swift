/// Reads the fields of a GGUF header one after the other; no read goes past the end.
struct GGUFCursor {
    struct Failure: Error {
        var rule: Rule
        var offset: Int
        var message: String
    }

    let file: MappedFile
    private(set) var offset = 0

    init(file: MappedFile) { self.file = file }

    var remaining: Int { file.byteCount - offset }

    mutating func read<Number: FixedWidthInteger & BitwiseCopyable>(
        _ what: @autoclosure () -> String, as type: Number.Type = Number.self
    ) throws(Failure) -> Number {
        let size = Number.bitWidth / 8
        try require(size, what())
        defer { offset += size }
        return file.withBytes { $0.loadLittleEndian(offset, as: Number.self) }
    }

    private func require(_ size: Int, _ what: @autoclosure () -> String) throws(Failure) {
        guard remaining >= size else {
            throw Failure(
                rule: .ggufHeaderCutShort, offset: offset,
                message: "the file ends inside \(what()): \(size) bytes are needed, \(remaining) are left; "
                    + "fetch the file again")
        }
    }

    /// The range of a string's bytes.
    mutating func readStringRange(_ what: @autoclosure () -> String) throws(Failure) -> Range<Int> {
        let start = offset
        let length = try read("the length of \(what())", as: UInt64.self)
        guard length <= UInt64(remaining) else {
            throw Failure(
                rule: .ggufStringLength, offset: start,
                message: "\(what()) is said to have \(length) bytes, \(remaining) are left in the file")
        }
        defer { offset += Int(length) }
        return offset..<offset + Int(length)
    }

    func text(_ range: Range<Int>) -> (text: String, isValid: Bool) {
        file.withBytes(range) { bytes in bytes.text.map { ($0, true) } ?? (bytes.repairedText, false) }
    }

    mutating func readValue(_ kind: GGUFValue.Kind, key: String) throws(Failure) -> GGUFValue {
        let what = "the value of \(key.quotedForMessages)"
        switch kind {
        case .uint8: return .uint8(try read(what))
        case .int8: return .int8(try read(what))
        case .uint16: return .uint16(try read(what))
        case .int16: return .int16(try read(what))
        case .uint32: return .uint32(try read(what))
        case .int32: return .int32(try read(what))
        case .uint64: return .uint64(try read(what))
        case .int64: return .int64(try read(what))
        case .float32: return .float32(Float(bitPattern: try read(what)))
        case .float64: return .float64(Double(bitPattern: try read(what)))
        case .bool: return .bool(try read(what, as: UInt8.self) != 0)
        case .string: return .string(text(try readStringRange(what)).text)
        case .array: return .array(try readArray(what))
        }
    }

    static let arrayLimit = 1 << 30

    private mutating func readArray(_ what: String) throws(Failure) -> GGUFArray {
        let start = offset
        let number = try read("the element type of \(what)", as: UInt32.self)
        guard let kind = GGUFValue.Kind(rawValue: number) else {
            throw Failure(
                rule: .ggufValueType, offset: start, message: "\(what) has elements of unknown type \(number)")
        }
        guard kind != .array else {
            throw Failure(
                rule: .ggufNestedArray, offset: start,
                message: "\(what) is an array of arrays, which no program that loads GGUF files reads")
        }
        let count = try read("the length of \(what)", as: UInt64.self)
        // A string takes at least the eight bytes of its length.
        guard count <= UInt64(remaining / (kind.byteCount ?? 8)), count <= UInt64(Self.arrayLimit) else {
            throw Failure(
                rule: .ggufArrayLength, offset: start + 4,
                message: "\(what) is said to have \(count) elements, more than the \(remaining) bytes left can hold")
        }
        let first = offset
        if let size = kind.byteCount {
            offset += Int(count) * size
        } else {
            for index in 0..<count { _ = try readStringRange("element \(index) of \(what)") }
        }
        return GGUFArray(elementKind: kind, count: Int(count), file: file, range: first..<offset)
    }

    /// Zero or a byte short of the next multiple of `alignment`; the header's padding.
    static func padded(_ offset: Int, to alignment: Int) -> Int? {
        let (sum, overflow) = offset.addingReportingOverflow(alignment - 1)
        return overflow ? nil : sum / alignment * alignment
    }
}
