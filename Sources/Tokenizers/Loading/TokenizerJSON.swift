import TensorFiles

/// Reads `tokenizer.json`, the format of the `tokenizers` library: formats/tokenizers.md, part 1.
struct TokenizerJSON {
    let root: CheckedNode
    let file: String

    init(path: String) throws {
        // Doubled tokens are found when the vocabulary is built; walking 10⁵ keys twice would cost time.
        try self.init(JSONDocument(path: path, duplicateKeys: .allowed), file: path)
    }

    init(_ document: JSONDocument, file: String) throws(TokenizerError) {
        self.file = file
        root = CheckedNode(node: document.root, file: file, path: "")
        guard document.root.kind == .object else {
            throw .malformed(file: file, key: "(document)", expected: "an object", found: "\(document.root.kind)")
        }
    }

    func parts() throws(TokenizerError) -> Tokenizer.Parts {
        let added = try addedTokens()
        let steps =
            try root["pre_tokenizer"].map { (node) throws(TokenizerError) in try preTokenizerSteps(node) } ?? []
        let normalizer = try root["normalizer"].map { (node) throws(TokenizerError) in try self.normalizer(node) }
        let decoder = try root["decoder"].map { (node) throws(TokenizerError) in try self.decoder(node) }
        let usesAlphabet = steps.contains { if case .byteAlphabet = $0 { true } else { false } }
        let normalizesToAlphabet = if case .byteLevel? = normalizer?.last { true } else { false }
        let model = try self.model(
            byteLevel: usesAlphabet || normalizesToAlphabet, limit: added.map(\.id).max() ?? 0)
        var parts = Tokenizer.Parts(model: model, origin: .tokenizerJSON(file: file))
        parts.added = added
        parts.normalizer = normalizer
        parts.decoder = decoder
        if case .bytePair(let model) = model, model.byteLevel {
            parts.preTokenizer = PreTokenizer(byteLevelSteps: steps, spelledBefore: normalizesToAlphabet)
        } else {
            parts.preTokenizer = PreTokenizer(steps: steps)
        }
        if let node = root["post_processor"] { parts.postProcessor = try postProcessor(node, added) }
        return parts
    }

    private func addedTokens() throws(TokenizerError) -> [AddedToken] {
        var tokens: [AddedToken] = []
        for node in try root["added_tokens"]?.array() ?? [] {
            var token = AddedToken(
                id: try node.required("id").int(), content: try node.required("content").string(),
                isSpecial: try node.bool("special", default: false))
            token.singleWord = try node.bool("single_word", default: false)
            token.stripsLeft = try node.bool("lstrip", default: false)
            token.stripsRight = try node.bool("rstrip", default: false)
            token.isNormalized = try node.bool("normalized", default: !token.isSpecial)
            guard token.id >= 0, token.id < Int(Int32.max) else {
                throw .idOutOfRange(file: file, token: token.content, id: token.id, limit: Int(Int32.max))
            }
            tokens.append(token)
        }
        return tokens
    }
}
