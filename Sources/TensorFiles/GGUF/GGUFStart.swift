/// The fixed part at the start of a GGUF file: rules GG-01 to GG-04.
struct GGUFStart {
    let version: Int
    let tensorCount: Int
    let keyCount: Int

    /// Bytes of the shortest possible key with its value, and of the shortest tensor description.
    private static let shortestKey = 8 + 4 + 1
    private static let shortestTensor = 8 + 4 + 4 + 8

    init(reading cursor: inout GGUFCursor) throws(GGUFCursor.Failure) {
        let magic = try cursor.read("the magic number", as: UInt32.self)
        guard magic == 0x4655_4747 else {
            throw .init(rule: .ggufMagic, offset: 0, message: "the file does not start with \"GGUF\"")
        }
        let version = try cursor.read("the version", as: UInt32.self)
        guard version == 0 || version & 0xFFFF != 0 else {
            throw .init(
                rule: .ggufByteOrder, offset: 4,
                message: "the file is big-endian; convert it to little-endian first (gguf-convert-endian)")
        }
        guard version == 2 || version == 3 else {
            throw .init(
                rule: .ggufVersion, offset: 4, message: "version \(version) of the format; 2 and 3 can be read")
        }
        self.version = Int(version)
        let tensors = try cursor.read("the number of tensors", as: UInt64.self)
        let keys = try cursor.read("the number of keys", as: UInt64.self)
        guard tensors <= UInt64(cursor.remaining / Self.shortestTensor) else {
            throw .init(
                rule: .ggufCounts, offset: 8,
                message: "\(tensors) tensors are announced, the file is too short to describe them; "
                    + "it is damaged or cut short")
        }
        guard keys <= UInt64(cursor.remaining / Self.shortestKey) else {
            throw .init(
                rule: .ggufCounts, offset: 16,
                message: "\(keys) keys are announced, the file is too short to hold them; it is damaged or cut short")
        }
        tensorCount = Int(tensors)
        keyCount = Int(keys)
    }
}
