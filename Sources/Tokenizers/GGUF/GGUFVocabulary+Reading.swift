public import TensorFiles

extension GGUFVocabulary {
    /// Reads `tokenizer.ggml.*`; `file` is named in errors.
    public init(metadata: GGUFMetadata, file: String) throws(TokenizerError) {
        func found(_ key: String) -> String { metadata[key].map { "\($0.kind)" } ?? "nothing" }
        func failure(_ key: String, _ expected: String) -> TokenizerError {
            .malformed(file: file, key: key, expected: expected, found: found(key))
        }
        guard let model = metadata["tokenizer.ggml.model"]?.string else {
            throw failure("tokenizer.ggml.model", "a string (the file holds no vocabulary?)")
        }
        self.model = model
        preTokenizer = metadata["tokenizer.ggml.pre"]?.string
        guard let list = metadata["tokenizer.ggml.tokens"]?.array, list.elementKind == .string else {
            throw failure("tokenizer.ggml.tokens", "an array of strings")
        }
        guard list.count > 0, list.count < Int(Int32.max) else {
            throw failure("tokenizer.ggml.tokens", "at least one token")
        }
        tokens.reserveCapacity(list.count)
        list.forEachString { tokens.append($0.copied()) }
        if let value = metadata["tokenizer.ggml.scores"] {
            guard let numbers = value.array?.doubles, numbers.count >= tokens.count else {
                throw failure("tokenizer.ggml.scores", "an array of at least \(tokens.count) numbers")
            }
            scores = numbers.prefix(tokens.count).map { Float($0) }
        }
        if let value = metadata["tokenizer.ggml.token_type"] {
            guard let numbers = value.array?.integers, numbers.count >= tokens.count else {
                throw failure("tokenizer.ggml.token_type", "an array of at least \(tokens.count) integers")
            }
            kinds = numbers.prefix(tokens.count).map { Int32(exactly: $0).flatMap(TokenKind.init) ?? .normal }
        }
        if let value = metadata["tokenizer.ggml.merges"] {
            guard let array = value.array, array.elementKind == .string else {
                throw failure("tokenizer.ggml.merges", "an array of strings")
            }
            var merges: [[UInt8]] = []
            merges.reserveCapacity(array.count)
            array.forEachString { merges.append($0.copied()) }
            self.merges = merges
        }
        readSpecialTokens(metadata)
        addsSpacePrefix = metadata["tokenizer.ggml.add_space_prefix"]?.bool
        removesExtraSpaces = metadata["tokenizer.ggml.remove_extra_whitespaces"]?.bool
        addsSeparator = metadata["tokenizer.ggml.add_sep_token"]?.bool
        expressions = metadata[Self.expressionsKey]?.array?.strings
        charactersMap = metadata["tokenizer.ggml.precompiled_charsmap"]?.array?.integers?
            .map { UInt8(truncatingIfNeeded: $0) }
        if let source = metadata["tokenizer.chat_template"]?.string { chatTemplates.append(("default", source)) }
        for name in metadata["tokenizer.chat_templates"]?.array?.strings ?? [] {
            guard let source = metadata["tokenizer.chat_template.\(name)"]?.string else { continue }
            chatTemplates.append((name, source))
        }
    }

    private mutating func readSpecialTokens(_ metadata: GGUFMetadata) {
        func id(_ name: String) -> Int? {
            guard let id = metadata["tokenizer.ggml.\(name)_token_id"]?.int, tokens.indices.contains(id) else {
                return nil
            }
            return id
        }
        special.bos = id("bos")
        special.eos = id("eos")
        special.eot = id("eot")
        special.eom = id("eom")
        special.unknown = id("unknown")
        special.padding = id("padding")
        special.separator = id("seperator")
        special.mask = id("mask")
        special.addsBos = metadata["tokenizer.ggml.add_bos_token"]?.bool
        special.addsEos = metadata["tokenizer.ggml.add_eos_token"]?.bool
    }
}
