extension Tokenizer {
    /// The text of `ids`, special tokens written out unless `skipSpecialTokens`; U+FFFD where bytes are not UTF-8.
    public func decode(_ ids: some Sequence<Int>, skipSpecialTokens: Bool = false) throws(TokenizerError) -> String {
        var parts: [[UInt8]] = []
        for id in ids {
            guard id >= 0, id < vocabularySize else { throw .unknownId(id: id, vocabularySize: vocabularySize) }
            if skipSpecialTokens, let token = addedToken(id), token.isSpecial { continue }
            // An id in a gap of the vocabulary has no text.
            guard let text = tokenText(id) else { continue }
            parts.append(text)
        }
        guard let decoder = self.parts.decoder else {
            return parts.map { String(decoding: $0, as: UTF8.self) }.joined(separator: " ")
        }
        return String(decoding: decoder.decode(parts).joined(), as: UTF8.self)
    }
}
