internal import CXXHash

/// XXH3, 128 bits: tells damaged bytes from the ones that were written. It is no protection against forgery.
/// Source: https://github.com/Cyan4973/xxHash, through libxxhash.
public struct TensorDigest: Hashable, Sendable, CustomStringConvertible {
    public static let byteCount = 16
    /// The name of the algorithm in files.
    public static let algorithm = "xxh3-128"

    public let high: UInt64
    public let low: UInt64

    public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// Hashes bytes at once.
    public init(of bytes: RawSpan) {
        let hash = unsafe bytes.withUnsafeBytes { unsafe XXH3_128bits($0.baseAddress, $0.count) }
        self.init(high: hash.high64, low: hash.low64)
    }

    /// Big-endian, the canonical order of xxHash.
    public var bytes: [UInt8] {
        var bytes: [UInt8] = []
        bytes.appendLittleEndian(high.byteSwapped)
        bytes.appendLittleEndian(low.byteSwapped)
        return bytes
    }

    /// 32 hexadecimal digits, as `xxhsum -H2` prints.
    public var description: String { Self.hexadecimal(high) + Self.hexadecimal(low) }

    /// Parses 32 hexadecimal digits.
    public init?(_ text: some StringProtocol) {
        guard text.utf8.count == 32, text.utf8.allSatisfy({ Character(Unicode.Scalar($0)).isHexDigit }),
            let high = UInt64(text.prefix(16), radix: 16), let low = UInt64(text.suffix(16), radix: 16)
        else { return nil }
        self.init(high: high, low: low)
    }

    /// The bytes at `offset`, big-endian.
    init(canonical bytes: RawSpan, at offset: Int) {
        self.init(
            high: bytes.loadLittleEndian(offset, as: UInt64.self).byteSwapped,
            low: bytes.loadLittleEndian(offset + 8, as: UInt64.self).byteSwapped)
    }

    private static func hexadecimal(_ value: UInt64) -> String {
        let text = String(value, radix: 16)
        return String(repeating: "0", count: 16 - text.count) + text
    }
}

/// A digest in the making, for bytes that come in pieces.
@safe public struct TensorDigester: ~Copyable, @unchecked Sendable {
    private let state: OpaquePointer

    public init() {
        guard let state = unsafe XXH3_createState() else { preconditionFailure("out of memory") }
        unsafe self.state = state
        unsafe XXH3_128bits_reset(state)
    }

    deinit { unsafe XXH3_freeState(state) }

    public mutating func update(_ bytes: RawSpan) {
        unsafe bytes.withUnsafeBytes { buffer in
            _ = unsafe XXH3_128bits_update(state, buffer.baseAddress, buffer.count)
        }
    }

    /// The digest of all bytes so far.
    public var digest: TensorDigest {
        let hash = unsafe XXH3_128bits_digest(state)
        return TensorDigest(high: hash.high64, low: hash.low64)
    }

    public mutating func reset() { unsafe XXH3_128bits_reset(state) }
}
