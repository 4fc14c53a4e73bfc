extension GGUFVocabulary {
    /// The tokenizer that this vocabulary describes, cutting and merging as llama.cpp does.
    func parts(file: String) throws(TokenizerError) -> Tokenizer.Parts {
        switch model {
        case "gpt2", "gemma4": return try bytePairParts(file: file)
        case "llama": return try sentencePieceParts(file: file)
        case "t5": return try unigramParts(file: file)
        default:
            throw .unsupported(
                file: file, key: "tokenizer.ggml.model", found: model, known: ["gpt2", "llama", "t5", "gemma4"])
        }
    }

    private func kind(_ id: Int) -> TokenKind { kinds?[id] ?? .normal }

    /// Tokens that are found in the text before anything else: those made for it, and special ones.
    private var addedTokens: [AddedToken] {
        tokens.indices.compactMap { id in
            let kind = kind(id)
            guard kind == .control || kind == .userDefined || kind == .unknown else { return nil }
            guard !tokens[id].isEmpty else { return nil }
            return AddedToken(
                id: id, content: String(decoding: tokens[id], as: UTF8.self), isSpecial: kind != .userDefined)
        }
    }

    private func finish(_ parts: inout Tokenizer.Parts) {
        parts.added = addedTokens
        parts.parsesSpecial = false
        parts.chatTemplates = chatTemplates
        parts.finishSpecialTokens()
    }

    private func byteIds(_ table: ByteTable) -> [Int32] {
        (0..<256).map { byte in
            let digits = String(byte, radix: 16, uppercase: true)
            return Int32(table.find(Array(("<0x" + (byte < 16 ? "0" : "") + digits + ">").utf8)))
        }
    }

    private func bytePairParts(file: String) throws(TokenizerError) -> Tokenizer.Parts {
        let name = model == "gemma4" ? "gemma4" : preTokenizer ?? "default"
        guard let pre = NamedPreTokenizer.all[name] else {
            throw .unsupported(
                file: file, key: "tokenizer.ggml.pre", found: name, known: NamedPreTokenizer.all.keys.sorted())
        }
        var table = ByteTable(capacity: tokens.count)
        var literals: [String: Int] = [:]
        for (id, token) in tokens.enumerated() {
            guard pre.byteLevel else {
                table.append(token, findable: table.find(token) < 0)
                continue
            }
            if let raw = ByteAlphabet.decode(token), !raw.isEmpty {
                table.append(raw, findable: table.find(raw) < 0)
            } else {
                literals[String(decoding: token, as: UTF8.self)] = id
                table.append(token, findable: false)
            }
        }
        var model = BytePairModel(
            table: table, merges: MergeTable(capacity: merges?.count ?? 0), byteLevel: pre.byteLevel,
            byteIds: pre.byteLevel ? (0..<256).map { Int32(table.find([UInt8($0)])) } : byteIds(table))
        model.literals = literals
        model.literalIds = Set(literals.values)
        model.ignoreMerges = pre.ignoresMerges
        model.byteFallback = !pre.byteLevel
        for (rank, merge) in (merges ?? []).enumerated() {
            // Neither side is empty, but the left one may begin with a space.
            guard let space = merge.dropFirst().firstIndex(of: UInt8(ascii: " ")) else { continue }
            var left = Array(merge[..<space])
            var right = Array(merge[(space + 1)...])
            if pre.byteLevel {
                guard let one = ByteAlphabet.decode(left), let other = ByteAlphabet.decode(right) else { continue }
                (left, right) = (one, other)
            }
            let ids = (table.find(left), table.find(right), table.find(left + right))
            guard ids.0 >= 0, ids.1 >= 0, ids.2 >= 0 else { continue }
            // Of two equal merges the first one counts.
            guard model.merges.find(Int32(ids.0), Int32(ids.1)) == .max else { continue }
            model.merges.insert(Int32(ids.0), Int32(ids.1), rank: UInt32(rank), id: Int32(ids.2))
        }
        var parts = Tokenizer.Parts(model: .bytePair(model), origin: .gguf(self))
        var steps: [PreTokenizer.Step] = []
        for expression in expressions ?? pre.expressions {
            let pattern = try Pattern(expression, file: file)
            steps.append(.split(Splitter(pattern: pattern, behavior: .isolated)))
        }
        parts.preTokenizer = PreTokenizer(steps: steps)
        let space: [UInt8] = [UInt8(ascii: " ")]
        if pre.byteLevel {
            parts.decoder = .byteLevel
        } else {
            parts.normalizer = .replace(space, with: SentencePieceNormalizer.mark)
            parts.decoder = .sequence([.replace(SentencePieceNormalizer.mark, with: space), .byteFallback, .fuse])
        }
        parts.special = special
        parts.special.addsBos = special.addsBos ?? pre.addsBos
        parts.special.addsEos = special.addsEos ?? false
        finish(&parts)
        return parts
    }

    private func sentencePieceTable() -> ByteTable {
        var table = ByteTable(capacity: tokens.count)
        for token in tokens { table.append(token, findable: !token.isEmpty && table.find(token) < 0) }
        return table
    }

    /// Spaces to marks with one in front, and back.
    private func addSentencePieceStages(_ parts: inout Tokenizer.Parts, map: CharactersMap? = nil) {
        let prefixes = addsSpacePrefix ?? true
        parts.normalizer = .sentencePiece(
            SentencePieceNormalizer(
                map: map, addsDummyPrefix: prefixes, removesExtraSpaces: removesExtraSpaces ?? false,
                escapesSpaces: true))
        parts.decoder = .sequence([
            .replace(SentencePieceNormalizer.mark, with: [UInt8(ascii: " ")]), .byteFallback, .fuse,
            .strip([UInt8(ascii: " ")], start: prefixes ? 1 : 0, stop: 0),
        ])
    }

    private func sentencePieceParts(file: String) throws(TokenizerError) -> Tokenizer.Parts {
        let table = sentencePieceTable()
        // llama.cpp asks only whether a text is a token, of whatever kind.
        let ranks = ScoredPairModel.ranks(scores: scores ?? [Float](repeating: 0, count: tokens.count)) { _ in true }
        let model = ScoredPairModel(
            table: table, ranks: ranks, byteIds: byteIds(table), unknownId: special.unknown.map { Int32($0) },
            fuseUnknown: false)
        var parts = Tokenizer.Parts(model: .scoredPair(model), origin: .gguf(self))
        addSentencePieceStages(&parts)
        parts.special = special
        func absent(_ id: Int) -> Int? { id < tokens.count ? id : nil }
        parts.special.bos = special.bos ?? absent(1)
        parts.special.eos = special.eos ?? absent(2)
        parts.special.unknown = special.unknown ?? absent(0)
        parts.special.addsBos = special.addsBos ?? true
        parts.special.addsEos = special.addsEos ?? false
        finish(&parts)
        return parts
    }

    private func unigramParts(file: String) throws(TokenizerError) -> Tokenizer.Parts {
        guard let scores else {
            throw .malformed(
                file: file, key: "tokenizer.ggml.scores", expected: "an array of numbers", found: "nothing")
        }
        let table = sentencePieceTable()
        let unknown = special.unknown ?? kinds?.firstIndex(of: .unknown) ?? 0
        let bytes = byteIds(table)
        let model = UnigramModel(
            table: table, scores: scores.map { Double($0) },
            usable: tokens.indices.map { kind($0) == .normal || kind($0) == .userDefined }, byteIds: bytes,
            byteFallback: bytes.contains { $0 >= 0 }, unknownId: unknown, singlePrecision: true)
        var map: CharactersMap?
        if let charactersMap, !charactersMap.isEmpty {
            map = CharactersMap(charactersMap)
            guard map != nil else {
                throw .malformed(
                    file: file, key: "tokenizer.ggml.precompiled_charsmap", expected: "a trie and its replacements",
                    found: "\(charactersMap.count) other bytes")
            }
        }
        var parts = Tokenizer.Parts(model: .unigram(model), origin: .gguf(self))
        addSentencePieceStages(&parts, map: map)
        parts.special = special
        parts.special.unknown = unknown
        parts.special.addsBos = special.addsBos ?? false
        parts.special.addsEos = special.addsEos ?? true
        finish(&parts)
        return parts
    }
}
