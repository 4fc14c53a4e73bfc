extension RawSpan {
    /// The little-endian number at `offset`, which need not be aligned. The whole number must lie inside the span.
    @inlinable
    public func loadLittleEndian<Number: FixedWidthInteger & BitwiseCopyable>(
        _ offset: Int, as type: Number.Type = Number.self
    ) -> Number {
        // Bounds are checked by the load; every bit pattern is a valid integer.
        Number(littleEndian: unsafe unsafeLoadUnaligned(fromByteOffset: offset, as: Number.self))
    }

    /// The same bytes as a span of `UInt8`.
    @inlinable
    public func withUInt8<Result, Failure: Error>(
        _ body: (Span<UInt8>) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        unsafe try withUnsafeBytes { (buffer) throws(Failure) in
            try body(unsafe Span(_unsafeBytes: buffer))
        }
    }

    /// A copy of the bytes.
    public func copied() -> [UInt8] {
        unsafe withUnsafeBytes { unsafe [UInt8]($0) }
    }

    /// The bytes as text, or `nil` when they are not UTF-8.
    public var text: String? {
        withUInt8 { (bytes: Span<UInt8>) in
            guard let valid = try? UTF8Span(validating: bytes) else { return nil }
            return String(copying: valid)
        }
    }

    /// The bytes as text, with U+FFFD where they are not UTF-8.
    public var repairedText: String { text ?? String(decoding: copied(), as: UTF8.self) }

    public func elementsEqual(_ other: RawSpan) -> Bool {
        guard byteCount == other.byteCount else { return false }
        var index = 0
        while index + 8 <= byteCount {
            guard loadLittleEndian(index, as: UInt64.self) == other.loadLittleEndian(index, as: UInt64.self)
            else { return false }
            index += 8
        }
        while index < byteCount {
            guard loadLittleEndian(index, as: UInt8.self) == other.loadLittleEndian(index, as: UInt8.self)
            else { return false }
            index += 1
        }
        return true
    }
}
