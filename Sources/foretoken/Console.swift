import Foundation

/// The two streams: facts on standard output, everything else on standard error.
enum Console {
    static func standardOutput(_ text: String) { FileHandle.standardOutput.write(Data(text.utf8)) }
    static func standardError(_ text: String) { FileHandle.standardError.write(Data(text.utf8)) }
    static var errorIsTerminal: Bool { isatty(STDERR_FILENO) == 1 }

    /// One JSON document, keys sorted so that equal facts give equal bytes.
    static func json(_ value: some Encodable) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        encoder.nonConformingFloatEncodingStrategy = .convertToString(
            positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
        standardOutput(String(decoding: try encoder.encode(value), as: UTF8.self) + "\n")
    }
}
