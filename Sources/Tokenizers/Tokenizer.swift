import Synchronization

/// Text to token ids and back, as the model's own library does it.
///
/// Safe to share between threads. Encoding never depends on what was encoded before, or where.
public final class Tokenizer: Sendable {
    /// The parts of a tokenizer, as its loader found them.
    struct Parts: Sendable {
        var normalizer: Normalizer?
        var preTokenizer = PreTokenizer()
        var model: TokenModel
        var postProcessor = PostProcessor()
        var decoder: TokenDecoder?
        var added: [AddedToken] = []
        var special = SpecialTokens()
        /// Special tokens written in a text are taken for special tokens unless the caller says otherwise.
        var parsesSpecial = true
        var chatTemplates: [(name: String, source: String)] = []
        var origin: Origin
    }

    /// Where it came from, with what the exporters need to say the same thing again.
    enum Origin: Sendable {
        case tokenizerJSON(file: String)
        case sentencePiece(SentencePieceFile)
        case gguf(GGUFVocabulary)
    }

    let parts: Parts
    /// Added tokens found in the text as it is, and in the normalized text.
    private let rawMatcher: AddedTokenMatcher
    private let normalizedMatcher: AddedTokenMatcher
    private let addedById: [Int: AddedToken]
    /// Words cannot reach across the space mark, so that long texts fall into words without a pre-tokenizer.
    private let cutsAtMark: Bool
    private let pool = Mutex<[ModelScratch]>([])

    init(_ parts: Parts) throws(TokenizerError) {
        self.parts = parts
        var raw = AddedTokenMatcher()
        var normalized = AddedTokenMatcher()
        var byId: [Int: AddedToken] = [:]
        for token in parts.added {
            byId[token.id] = token
            let bytes = Array(token.content.utf8)
            if token.isNormalized, let normalizer = parts.normalizer {
                normalized.insert(token, form: token.isVerbatim ? bytes : try normalizer.normalize(bytes))
            } else {
                raw.insert(token, form: bytes)
            }
        }
        rawMatcher = raw
        normalizedMatcher = normalized
        addedById = byId
        cutsAtMark = parts.preTokenizer.steps.isEmpty && parts.model.isIndependentAcrossMarks
    }

    // MARK: Vocabulary

    public var special: SpecialTokens { parts.special }
    public var addedTokens: [AddedToken] { parts.added }

    /// One more than the highest id.
    public var vocabularySize: Int { max(parts.model.table.count, (parts.added.map(\.id).max() ?? -1) + 1) }

    /// The bytes of a token's text as a vocabulary file spells it ("Ġthe", "▁the", "<0x0A>"); `nil` for an id that has
    /// none.
    public func tokenText(_ id: Int) -> [UInt8]? {
        if let token = addedById[id] { return Array(token.content.utf8) }
        guard let bytes = modelBytes(id) else { return nil }
        guard case .bytePair(let model) = parts.model, model.byteLevel, !model.literalIds.contains(id) else {
            return bytes
        }
        return ByteAlphabet.encode(bytes)
    }

    /// The id of a token by its text as a vocabulary file spells it.
    public func id(of text: String) -> Int? {
        if let token = parts.added.first(where: { $0.content == text }) { return token.id }
        var bytes = Array(text.utf8)
        if case .bytePair(let model) = parts.model, model.byteLevel {
            guard let raw = ByteAlphabet.decode(bytes) else { return model.literals[text] }
            bytes = raw
        }
        let id = parts.model.table.find(bytes)
        return id >= 0 ? id : nil
    }

    func modelBytes(_ id: Int) -> [UInt8]? {
        let table = parts.model.table
        guard id >= 0, id < table.count, !table.range(of: id).isEmpty else { return nil }
        return Array(table.bytes(of: id))
    }

    func addedToken(_ id: Int) -> AddedToken? { addedById[id] }

    /// The model's chat template; of several the one named "default".
    public var chatTemplate: String? {
        (parts.chatTemplates.first { $0.name == "default" } ?? parts.chatTemplates.first)?.source
    }

    // MARK: Encoding

    /// The ids of `text`.
    ///
    /// - Parameters:
    ///   - addSpecialTokens: Puts the tokens around it that the model expects around a text.
    ///   - parseSpecial: Whether special tokens written in the text count as such; `nil`: as the tokenizer's own
    ///     library does (yes for tokenizer.json; no for tokenizer.model and GGUF).
    public func encode(
        _ text: String, addSpecialTokens: Bool = false, parseSpecial: Bool? = nil
    ) throws(TokenizerError) -> [Int] {
        try encode(valid: Array(text.utf8), addSpecialTokens, parseSpecial)
    }

    /// The ids of a text given as UTF-8; bytes that are not become U+FFFD.
    public func encode(
        utf8: [UInt8], addSpecialTokens: Bool = false, parseSpecial: Bool? = nil
    ) throws(TokenizerError) -> [Int] {
        let isValid = (try? UTF8Span(validating: utf8.span)) != nil
        let bytes = isValid ? utf8 : Array(String(decoding: utf8, as: UTF8.self).utf8)
        return try encode(valid: bytes, addSpecialTokens, parseSpecial)
    }

    private func encode(
        valid text: [UInt8], _ addSpecialTokens: Bool, _ parseSpecial: Bool?
    ) throws(TokenizerError) -> [Int] {
        var scratch = pool.withLock { $0.popLast() } ?? ModelScratch()
        defer { pool.withLock { $0.append(scratch) } }
        var output: [Int] = []
        output.reserveCapacity(text.count / 4 + 8)
        if addSpecialTokens { output += tokensBefore }
        let special = parseSpecial ?? parts.parsesSpecial
        try rawMatcher.forEachPart(of: text, range: 0..<text.count, special: special) {
            (part) throws(TokenizerError) in
            switch part {
            case .token(let token): output.append(token.id)
            case .text(let range):
                var piece = range.count == text.count ? text : Array(text[range])
                if let normalizer = parts.normalizer { piece = try normalizer.normalize(piece) }
                try encode(normalized: piece, atStart: range.lowerBound == 0, special, &scratch, &output)
            }
        }
        if addSpecialTokens { output += tokensAfter }
        return output
    }

    private func encode(
        normalized text: [UInt8], atStart: Bool, _ special: Bool, _ scratch: inout ModelScratch,
        _ output: inout [Int]
    ) throws(TokenizerError) {
        guard !normalizedMatcher.isEmpty else {
            try encode(words: text, atStart: atStart, &scratch, &output)
            return
        }
        try normalizedMatcher.forEachPart(of: text, range: 0..<text.count, special: special) {
            (part) throws(TokenizerError) in
            switch part {
            case .token(let token): output.append(token.id)
            case .text(let range):
                let piece = range.count == text.count ? text : Array(text[range])
                try encode(words: piece, atStart: atStart && range.lowerBound == 0, &scratch, &output)
            }
        }
    }

    private func encode(
        words text: [UInt8], atStart: Bool, _ scratch: inout ModelScratch, _ output: inout [Int]
    ) throws(TokenizerError) {
        let model = parts.model
        if cutsAtMark {
            MarkedWords.forEach(in: text) { model.encodeCached(text, $0, &scratch, to: &output) }
        } else {
            try parts.preTokenizer.forEachWord(of: text, atStart: atStart) { (text, range) throws(TokenizerError) in
                model.encodeCached(text, range, &scratch, to: &output)
            }
        }
    }

    /// What `addSpecialTokens` puts around a text.
    public var tokensBefore: [Int] {
        if parts.postProcessor.isExplicit { return parts.postProcessor.before }
        return special.addsBos == true ? special.bos.map { [$0] } ?? [] : []
    }

    public var tokensAfter: [Int] {
        if parts.postProcessor.isExplicit { return parts.postProcessor.after }
        return special.addsEos == true ? special.eos.map { [$0] } ?? [] : []
    }
}
