/// An array of a GGUF file's metadata: a range of the file's bytes, decoded when it is read.
///
/// An array of 10⁵ strings costs nothing until someone walks it; copied to another file, its bytes are copied.
public struct GGUFArray: Sendable {
    public let elementKind: GGUFValue.Kind
    public let count: Int
    let file: MappedFile
    /// The elements as a file stores them, without the array's own type and length.
    let range: Range<Int>

    /// The reader has checked that `range` holds exactly `count` elements.
    init(elementKind: GGUFValue.Kind, count: Int, file: MappedFile, range: Range<Int>) {
        self.elementKind = elementKind
        self.count = count
        self.file = file
        self.range = range
    }

    private init(_ kind: GGUFValue.Kind, count: Int, encoded: [UInt8]) {
        self.init(
            elementKind: kind, count: count, file: MappedFile(bytes: encoded, name: "array"),
            range: 0..<encoded.count)
    }

    public init(_ strings: some Sequence<String>) {
        var encoded: [UInt8] = []
        var count = 0
        for string in strings {
            encoded.appendLittleEndian(UInt64(string.utf8.count))
            encoded.append(contentsOf: string.utf8)
            count += 1
        }
        self.init(.string, count: count, encoded: encoded)
    }

    /// Strings that need not be UTF-8.
    public init(byteStrings strings: some Sequence<[UInt8]>) {
        var encoded: [UInt8] = []
        var count = 0
        for string in strings {
            encoded.appendLittleEndian(UInt64(string.count))
            encoded.append(contentsOf: string)
            count += 1
        }
        self.init(.string, count: count, encoded: encoded)
    }

    public init(_ values: [Float]) {
        var encoded: [UInt8] = []
        encoded.reserveCapacity(values.count * 4)
        for value in values { encoded.appendLittleEndian(value.bitPattern) }
        self.init(.float32, count: values.count, encoded: encoded)
    }

    public init(_ values: [Double]) {
        var encoded: [UInt8] = []
        for value in values { encoded.appendLittleEndian(value.bitPattern) }
        self.init(.float64, count: values.count, encoded: encoded)
    }

    public init(_ values: [Bool]) {
        self.init(.bool, count: values.count, encoded: values.map { $0 ? 1 : 0 })
    }

    public init(_ values: [UInt8]) { self.init(.uint8, count: values.count, encoded: values) }
    public init(_ values: [Int8]) { self.init(.int8, integers: values) }
    public init(_ values: [UInt16]) { self.init(.uint16, integers: values) }
    public init(_ values: [Int16]) { self.init(.int16, integers: values) }
    public init(_ values: [UInt32]) { self.init(.uint32, integers: values) }
    public init(_ values: [Int32]) { self.init(.int32, integers: values) }
    public init(_ values: [UInt64]) { self.init(.uint64, integers: values) }
    public init(_ values: [Int64]) { self.init(.int64, integers: values) }

    private init(_ kind: GGUFValue.Kind, integers: [some FixedWidthInteger]) {
        var encoded: [UInt8] = []
        for value in integers { encoded.appendLittleEndian(value) }
        self.init(kind, count: integers.count, encoded: encoded)
    }

    /// Calls `body` with the elements as a file stores them.
    public func withEncodedBytes<Result, Failure: Error>(
        _ body: (RawSpan) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try file.withBytes(range, body)
    }

    /// Calls `body` with the bytes of each string in order; never for an array of another kind.
    public func forEachString<Failure: Error>(_ body: (RawSpan) throws(Failure) -> Void) throws(Failure) {
        guard elementKind == .string else { return }
        try file.withBytes(range) { (bytes) throws(Failure) in
            var offset = 0
            for _ in 0..<count {
                let length = Int(bytes.loadLittleEndian(offset, as: UInt64.self))
                try body(bytes.extracting(offset + 8..<offset + 8 + length))
                offset += 8 + length
            }
        }
    }

    /// All strings, repaired where they are not UTF-8; `nil` for an array of another kind.
    public var strings: [String]? {
        guard elementKind == .string else { return nil }
        var strings: [String] = []
        strings.reserveCapacity(count)
        forEachString { strings.append($0.repairedText) }
        return strings
    }

    /// All integers; `nil` for an array of another kind, or when one does not fit.
    public var integers: [Int]? {
        file.withBytes(range) { bytes in
            switch elementKind {
            case .uint8: (0..<count).map { Int(bytes.loadLittleEndian($0, as: UInt8.self)) }
            case .int8: (0..<count).map { Int(bytes.loadLittleEndian($0, as: Int8.self)) }
            case .uint16: (0..<count).map { Int(bytes.loadLittleEndian($0 * 2, as: UInt16.self)) }
            case .int16: (0..<count).map { Int(bytes.loadLittleEndian($0 * 2, as: Int16.self)) }
            case .uint32: (0..<count).map { Int(bytes.loadLittleEndian($0 * 4, as: UInt32.self)) }
            case .int32: (0..<count).map { Int(bytes.loadLittleEndian($0 * 4, as: Int32.self)) }
            case .int64: (0..<count).map { Int(bytes.loadLittleEndian($0 * 8, as: Int64.self)) }
            case .uint64:
                Self.exact((0..<count).map { Int(exactly: bytes.loadLittleEndian($0 * 8, as: UInt64.self)) })
            case .float32, .float64, .bool, .string, .array: nil
            }
        }
    }

    private static func exact(_ values: [Int?]) -> [Int]? {
        let exact = values.compactMap { $0 }
        return exact.count == values.count ? exact : nil
    }

    /// All numbers, of any kind, as doubles; `nil` for strings and truth values.
    public var doubles: [Double]? {
        switch elementKind {
        case .float32:
            file.withBytes(range) { bytes in
                (0..<count).map { Double(Float(bitPattern: bytes.loadLittleEndian($0 * 4))) }
            }
        case .float64:
            file.withBytes(range) { bytes in (0..<count).map { Double(bitPattern: bytes.loadLittleEndian($0 * 8)) } }
        default: integers?.map { Double($0) }
        }
    }

    /// All truth values; `nil` for an array of another kind. Any byte but zero is true.
    public var bools: [Bool]? {
        guard elementKind == .bool else { return nil }
        return file.withBytes(range) { bytes in
            (0..<count).map { bytes.loadLittleEndian($0, as: UInt8.self) != 0 }
        }
    }
}

extension GGUFArray: Equatable {
    public static func == (one: GGUFArray, other: GGUFArray) -> Bool {
        guard one.elementKind == other.elementKind, one.count == other.count else { return false }
        return one.withEncodedBytes { first in other.withEncodedBytes { first.elementsEqual($0) } }
    }
}

extension [UInt8] {
    package mutating func appendLittleEndian<Number: FixedWidthInteger>(_ value: Number) {
        var rest = value
        for _ in 0..<Number.bitWidth / 8 {
            append(UInt8(truncatingIfNeeded: rest))
            if Number.bitWidth > 8 { rest >>= 8 }
        }
    }
}
