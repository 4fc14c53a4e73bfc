extension SentencePieceFile {
    /// The id of each byte's piece, -1 where there is none.
    var byteIds: [Int32] {
        var ids = [Int32](repeating: -1, count: 256)
        for (id, piece) in pieces.enumerated() where piece.kind == .byte {
            if let byte = TokenDecoder.byte(piece.text) { ids[Int(byte)] = Int32(id) }
        }
        return ids
    }

    /// The tokenizer that this file is, without anything that lies beside it.
    func parts() throws(TokenizerError) -> Tokenizer.Parts {
        var table = ByteTable(capacity: pieces.count)
        for (id, piece) in pieces.enumerated() {
            // Control, unknown and byte pieces have texts of their own, which no text gives.
            let findable = piece.kind == .normal || piece.kind == .userDefined
            if table.append(piece.text, findable: findable && !piece.text.isEmpty) == nil {
                let text = String(decoding: piece.text, as: UTF8.self)
                throw .malformed(
                    file: file, key: "pieces[\(id)]", expected: "a piece that is there once",
                    found: "\"\(text)\" again")
            }
        }
        var normalizer = SentencePieceNormalizer(
            map: nil, addsDummyPrefix: addsDummyPrefix, removesExtraSpaces: removesExtraSpaces,
            escapesSpaces: escapesSpaces, spaceAsSuffix: spaceAsSuffix)
        if !charactersMap.isEmpty {
            guard let map = CharactersMap(charactersMap) else {
                throw .malformed(
                    file: file, key: "normalizer_spec.precompiled_charsmap", expected: "a trie and its replacements",
                    found: "\(charactersMap.count) other bytes")
            }
            normalizer.map = map
        }
        var added: [AddedToken] = []
        for (id, piece) in pieces.enumerated() where piece.kind == .userDefined && !piece.text.isEmpty {
            normalizer.kept.insert(piece.text, value: id)
        }
        for (id, piece) in pieces.enumerated() where piece.kind == .control || piece.kind == .userDefined {
            var token = AddedToken(
                id: id, content: String(decoding: piece.text, as: UTF8.self), isSpecial: piece.kind == .control)
            // SentencePiece looks for its user's symbols in the text that it has normalized around them.
            token.isNormalized = !token.isSpecial
            token.isVerbatim = true
            added.append(token)
        }
        let model = try model(table)
        var parts = Tokenizer.Parts(model: model, origin: .sentencePiece(self))
        parts.normalizer = .sentencePiece(normalizer)
        parts.decoder = .sequence([
            .replace(SentencePieceNormalizer.mark, with: [UInt8(ascii: " ")]), .byteFallback, .fuse,
            .strip(
                [UInt8(ascii: " ")], start: addsDummyPrefix && !spaceAsSuffix ? 1 : 0, stop: spaceAsSuffix ? 1 : 0),
        ])
        parts.added = added
        parts.parsesSpecial = false
        func id(_ id: Int, _ kind: Kind) -> Int? {
            pieces.indices.contains(id) && pieces[id].kind == kind ? id : nil
        }
        parts.special.unknown = pieces.firstIndex { $0.kind == .unknown }
        parts.special.bos = id(bosId, .control)
        parts.special.eos = id(eosId, .control)
        parts.special.padding = id(padId, .control)
        parts.special.addsBos = parts.special.bos != nil
        parts.special.addsEos = false
        return parts
    }

    private func model(_ table: ByteTable) throws(TokenizerError) -> TokenModel {
        let unknown = pieces.firstIndex { $0.kind == .unknown } ?? 0
        switch algorithm {
        case .bytePair:
            let ranks = ScoredPairModel.ranks(scores: pieces.map(\.score)) { pieces[$0].kind == .normal }
            return .scoredPair(
                ScoredPairModel(
                    table: table, ranks: ranks,
                    byteIds: byteFallback ? byteIds : [Int32](repeating: -1, count: 256),
                    unknownId: Int32(unknown)))
        default:
            return .unigram(
                UnigramModel(
                    table: table, scores: pieces.map { Double($0.score) },
                    usable: pieces.map { $0.kind == .normal || $0.kind == .userDefined }, byteIds: byteIds,
                    byteFallback: byteFallback, unknownId: unknown, singlePrecision: true))
        }
    }
}
