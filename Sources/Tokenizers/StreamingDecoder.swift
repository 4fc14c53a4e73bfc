/// Turns ids into text as they come, and never hands out a part of a character.
///
/// The pieces of text, put together, are `decode` of all ids, but for byte tokens that form no UTF-8: there the number
/// of U+FFFD may differ.
public struct StreamingDecoder: Sendable {
    private let tokenizer: Tokenizer
    private let skipSpecialTokens: Bool
    private let form: Form
    private var pending: [UInt8] = []
    private var isFirst = true
    /// Ids whose text is not settled, and how much of it has been handed out; for decoders of no simple form.
    private var window: [Int] = []
    private var given = 0

    /// How a token becomes bytes, where each does on its own.
    private enum Form: Sendable {
        case byteLevel
        /// Marks are spaces, "<0x0A>" a byte; one space at the start goes when `dropsFirst`.
        case marked([UInt8], bytes: Bool, dropsFirst: Bool)
        case general
    }

    public init(_ tokenizer: Tokenizer, skipSpecialTokens: Bool = false) {
        self.tokenizer = tokenizer
        self.skipSpecialTokens = skipSpecialTokens
        form = Self.form(of: tokenizer.parts.decoder)
    }

    private static func form(of decoder: TokenDecoder?) -> Form {
        let space = [UInt8(ascii: " ")]
        switch decoder {
        case .byteLevel: return .byteLevel
        case .metaspace(let mark, let dropsFirst): return .marked(mark, bytes: false, dropsFirst: dropsFirst)
        case .sequence(let stages):
            guard case .replace(let mark, with: space)? = stages.first else { return .general }
            var rest = stages.dropFirst()
            var bytes = false
            if case .byteFallback? = rest.first {
                bytes = true
                rest = rest.dropFirst()
            }
            guard case .fuse? = rest.first else { return .general }
            rest = rest.dropFirst()
            if rest.isEmpty { return .marked(mark, bytes: bytes, dropsFirst: false) }
            guard rest.count == 1, case .strip(space, let start, 0)? = rest.first, start <= 1 else { return .general }
            return .marked(mark, bytes: bytes, dropsFirst: start == 1)
        default: return .general
        }
    }

    /// The text that is certain once `id` has come; may be empty.
    public mutating func append(_ id: Int) throws(TokenizerError) -> String {
        guard id >= 0, id < tokenizer.vocabularySize else {
            throw .unknownId(id: id, vocabularySize: tokenizer.vocabularySize)
        }
        if skipSpecialTokens, let token = tokenizer.addedToken(id), token.isSpecial { return "" }
        guard let text = tokenizer.tokenText(id) else { return "" }
        switch form {
        case .byteLevel: pending += ByteAlphabet.decode(text) ?? text
        case .marked(let mark, let bytes, let dropsFirst):
            if bytes, let byte = TokenDecoder.byte(text) {
                pending.append(byte)
            } else {
                pending += Normalizer.replace(text, mark, [UInt8(ascii: " ")])
            }
            if isFirst, dropsFirst, pending.first == UInt8(ascii: " ") { pending.removeFirst() }
            isFirst = false
        case .general: return try appendGeneral(id)
        }
        let held = UTF8Text.incompleteSuffix(pending)
        let text8 = pending.dropLast(held)
        pending = Array(pending.suffix(held))
        return String(decoding: text8, as: UTF8.self)
    }

    /// What is left at the end: U+FFFD for a character that was never completed.
    public mutating func finish() -> String {
        if case .general = form {
            let text = (try? tokenizer.decode(window)) ?? ""
            defer { (window, given) = ([], 0) }
            return String(decoding: Array(text.utf8).dropFirst(given), as: UTF8.self)
        }
        defer { pending = [] }
        return String(decoding: pending, as: UTF8.self)
    }

    /// Decodes all ids so far and hands out what has been added, unless its end may still change.
    private mutating func appendGeneral(_ id: Int) throws(TokenizerError) -> String {
        window.append(id)
        let text = Array(try tokenizer.decode(window).utf8)
        guard text.count > given, !text.suffix(3).elementsEqual([0xEF, 0xBF, 0xBD]) else { return "" }
        defer { given = text.count }
        return String(decoding: text.dropFirst(given), as: UTF8.self)
    }
}
