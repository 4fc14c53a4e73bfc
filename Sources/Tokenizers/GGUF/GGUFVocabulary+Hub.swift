import Foundation
import TensorFiles

extension GGUFVocabulary {
    /// The vocabulary of a Hub directory as llama.cpp's converter writes it.
    ///
    /// - Parameters:
    ///   - architecture: GGUF's name of the model's family; a few have rules of their own.
    ///   - vocabularySize: Rows of the embedding. Rows without a token get one named [PAD…].
    public init(directory: String, architecture: String, vocabularySize: Int?) throws {
        let files = try HubFiles(directory: directory)
        let jsonPath = directory + "/tokenizer.json"
        let modelPath = directory + "/tokenizer.model"
        let hasJSON = FileManager.default.fileExists(atPath: jsonPath)
        let hasModel = FileManager.default.fileExists(atPath: modelPath)
        guard hasJSON || hasModel else {
            throw TokenizerError.notFound(path: directory, expected: ["tokenizer.json", "tokenizer.model"])
        }
        let json = hasJSON ? try TokenizerJSON(path: jsonPath) : nil
        // OLMo's rule is the byte-level one; all others prefer SentencePiece's own file.
        let usesModel = hasModel && !(hasJSON && architecture.hasPrefix("olmo"))
        if Self.llamaLike.contains(architecture) {
            addsSpacePrefix = files.tokenizerConfig?["add_prefix_space"]?.node.bool
        }
        if usesModel {
            let bytes = try MappedFile(path: modelPath).withBytes { $0.copied() }
            let file = try SentencePieceFile(parsing: bytes, file: modelPath)
            try addSentencePiece(file, files, architecture == "phi3" ? json : nil, rows: vocabularySize)
        } else if let json {
            let parts = try json.parts()
            switch parts.model {
            case .bytePair(let model) where model.byteLevel:
                try addByteLevel(json, parts, files, rows: vocabularySize)
            case .bytePair(let model): try addCharacterPairs(parts, model, files, rows: vocabularySize)
            case .unigram(let model): try addUnigram(parts, model, rows: vocabularySize)
            case .scoredPair: preconditionFailure("tokenizer.json holds no scored pairs")
            }
        }
        if architecture.hasPrefix("gemma"), usesModel { addsSpacePrefix = false }
        let resolved = HubSpecialTokens(
            tokenizerJSON: json?.root.node, files: files, vocabularySize: tokens.count)
        special.bos = resolved.ids["bos"]
        special.eos = resolved.ids["eos"]
        special.unknown = resolved.ids["unk"]
        special.separator = resolved.ids["sep"]
        special.padding = resolved.ids["pad"]
        special.mask = resolved.ids["mask"]
        special.eot = resolved.ids["eot"]
        special.eom = resolved.ids["eom"]
        special.addsBos = resolved.adds["bos"]
        special.addsEos = resolved.adds["eos"]
        addsSeparator = resolved.adds["sep"]
        if architecture == "granite" || architecture == "llama", tokens.count == 49152 { special.addsBos = false }
        if special.addsBos == nil, NamedPreTokenizer.all[preTokenizer ?? ""]?.addsBos == true, model == "gpt2" {
            // The name alone would make readers add it.
            special.addsBos = false
        }
        chatTemplates = try files.chatTemplates()
    }

    static let llamaLike: Set<String> = ["llama", "granite", "smollm3", "mistral3", "mistral"]

    private func checkRows(_ highest: Int, _ rows: Int?) throws(TokenizerError) -> Int {
        let rows = rows ?? highest + 1
        guard highest < rows else {
            throw .notExportable(
                format: "GGUF",
                reason:
                    "it has a token of id \(highest), and the embedding \(rows) rows; config.json's vocab_size and the"
                    + " tokenizer do not belong together")
        }
        return rows
    }

    /// Names that are special whatever their file says.
    static func looksSpecial(_ text: String) -> Bool {
        ["<pad>", "<mask>", "<2mass>", "[@BOS@]"].contains(text)
            || text.hasPrefix("<|") && text.hasSuffix("|>") || text.hasPrefix("<｜") && text.hasSuffix("｜>")
            || text.hasPrefix("<unused") && text.hasSuffix(">")
    }

    private static let marked = String(decoding: SentencePieceNormalizer.mark, as: UTF8.self)

    private mutating func addByteLevel(
        _ json: TokenizerJSON, _ parts: Tokenizer.Parts, _ files: HubFiles, rows: Int?
    ) throws(TokenizerError) {
        model = "gpt2"
        let identity = PreTokenizerIdentity(parts)
        preTokenizer = identity.name
        expressions = identity.expressions
        notes += identity.notes
        let tokenizer = try Tokenizer(parts)
        var added: [Int: AddedToken] = [:]
        for token in try files.declaredTokens() { added[token.id] = token }
        for token in parts.added { added[token.id] = token }
        let rows = try checkRows(max(tokenizer.vocabularySize - 1, added.keys.max() ?? 0), rows)
        var kinds: [TokenKind] = []
        for id in 0..<rows {
            if let token = added[id] {
                let isControl = token.isSpecial || Self.looksSpecial(token.content)
                let text = isControl ? token.content : token.content.replacingOccurrences(of: Self.marked, with: " ")
                tokens.append(Array(text.utf8))
                kinds.append(isControl ? .control : .userDefined)
            } else if let text = tokenizer.tokenText(id) {
                tokens.append(text)
                kinds.append(.normal)
            } else {
                tokens.append(Array("[PAD\(id)]".utf8))
                kinds.append(.unused)
            }
        }
        self.kinds = kinds
        merges = json.mergeLines()
    }

    /// SentencePiece's pairs without its file: scores are made from the order of merges, so that the best score
    /// first is the earliest merge first. (llama.cpp's converter gives all tokens one score, and wrong ids.)
    private mutating func addCharacterPairs(
        _ parts: Tokenizer.Parts, _ pairs: BytePairModel, _ files: HubFiles, rows: Int?
    ) throws(TokenizerError) {
        model = "llama"
        preTokenizer = "default"
        let count = pairs.table.count
        let rows = try checkRows(max(count - 1, parts.added.map(\.id).max() ?? 0), rows)
        var earliest = [Int: UInt32]()
        pairs.merges.visit { _, _, rank, id in earliest[Int(id)] = min(earliest[Int(id)] ?? .max, rank) }
        var added: [Int: AddedToken] = [:]
        for token in parts.added { added[token.id] = token }
        var scores: [Float] = []
        var kinds: [TokenKind] = []
        for id in 0..<rows {
            let text = id < count ? Array(pairs.table.bytes(of: id)) : []
            if let token = added[id] {
                tokens.append(Array(token.content.utf8))
                kinds.append(
                    id == pairs.unknownId.map { Int($0) } ? .unknown : token.isSpecial ? .control : .userDefined)
                scores.append(token.isSpecial && id < count ? 0 : -1000)
            } else if text.isEmpty {
                tokens.append(Array("[PAD\(id)]".utf8))
                kinds.append(.unused)
                scores.append(-10000)
            } else {
                tokens.append(text)
                kinds.append(TokenDecoder.byte(text) != nil ? .byte : .normal)
                scores.append(earliest[id].map { -Float($0) } ?? (TokenDecoder.byte(text) != nil ? 0 : -1e6))
            }
        }
        self.kinds = kinds
        self.scores = scores
        if case .sequence(let steps)? = parts.normalizer,
            !steps.contains(where: { if case .prepend = $0 { true } else { false } })
        {
            addsSpacePrefix = false
        }
        notes.append("there is no tokenizer.model: scores are made from the order of the merges")
    }

    private mutating func addUnigram(_ parts: Tokenizer.Parts, _ unigram: UnigramModel, rows: Int?)
        throws(TokenizerError)
    {
        model = "t5"
        preTokenizer = "default"
        let count = unigram.table.count
        let rows = try checkRows(max(count - 1, parts.added.map(\.id).max() ?? 0), rows)
        var added: [Int: AddedToken] = [:]
        for token in parts.added { added[token.id] = token }
        var scores: [Float] = []
        var kinds: [TokenKind] = []
        for id in 0..<rows {
            if id < count {
                let text = Array(unigram.table.bytes(of: id))
                tokens.append(text)
                scores.append(Float(unigram.scores[id]))
                kinds.append(
                    id == unigram.unknownId
                        ? .unknown
                        : added[id]?.isSpecial == true
                            ? .control
                            : added[id] != nil ? .userDefined : TokenDecoder.byte(text) != nil ? .byte : .normal)
            } else {
                tokens.append(Array((added[id]?.content ?? "[PAD\(id)]").utf8))
                scores.append(added[id] == nil ? -10000 : -1000)
                kinds.append(added[id].map { $0.isSpecial ? .control : .userDefined } ?? .unused)
            }
        }
        self.kinds = kinds
        self.scores = scores
        charactersMap = parts.normalizer?.charactersMap?.bytes
    }

    private mutating func addSentencePiece(
        _ file: SentencePieceFile, _ files: HubFiles, _ json: TokenizerJSON?, rows: Int?
    ) throws(TokenizerError) {
        model = file.algorithm == .unigram ? "t5" : "llama"
        preTokenizer = "default"
        let rows = rows ?? file.pieces.count
        guard rows > 0, rows < Int(Int32.max) else {
            throw .notExportable(format: "GGUF", reason: "the embedding has \(rows) rows")
        }
        tokens = (0..<rows).map { Array("[PAD\($0)]".utf8) }
        var scores = [Float](repeating: -10000, count: rows)
        var kinds = [TokenKind](repeating: .unused, count: rows)
        for (id, piece) in file.pieces.enumerated().prefix(rows) {
            tokens[id] = piece.text
            scores[id] = piece.score
            kinds[id] =
                switch piece.kind {
                // The converter asks for unknown, control, unused and byte; the user's own symbols count as normal.
                case .normal, .userDefined: .normal
                case .unknown: .unknown
                case .control: .control
                case .unused: .unused
                case .byte: .byte
                }
        }
        if file.pieces.count > rows {
            notes.append("\(file.pieces.count - rows) tokens beyond the embedding's \(rows) rows are left out")
        }
        func put(_ token: AddedToken, _ text: String, _ kind: TokenKind) {
            guard token.id < rows else { return }
            tokens[token.id] = Array(text.utf8)
            scores[token.id] = -1000
            kinds[token.id] = kind
        }
        for member in files.addedTokens?.node.members ?? CheckedNode.noMembers {
            guard let id = member.value.int, id >= 0 else { continue }
            put(AddedToken(id: id, content: member.key, isSpecial: false), member.key, .userDefined)
        }
        let isPhi = json != nil
        let declared = files.tokenizerConfig?["added_tokens_decoder"] != nil ? try files.declaredTokens() : []
        for token in declared + (try json?.parts().added ?? []) {
            if token.isSpecial || !isPhi && Self.looksSpecial(token.content) {
                put(token, token.content, .control)
            } else {
                let text = isPhi ? token.content : token.content.replacingOccurrences(of: Self.marked, with: " ")
                put(token, text, .userDefined)
            }
        }
        self.scores = scores
        self.kinds = kinds
        if file.algorithm == .unigram {
            addsSpacePrefix = file.addsDummyPrefix
            removesExtraSpaces = file.removesExtraSpaces
            if !file.charactersMap.isEmpty { charactersMap = file.charactersMap }
        }
    }
}

extension TokenizerJSON {
    /// Merges as GGUF writes them; a space inside a token is spelled as the byte alphabet has it.
    func mergeLines() -> [[UInt8]] {
        func spelled(_ text: [UInt8]) -> [UInt8] {
            Normalizer.replace(text, [UInt8(ascii: " ")], Array("Ġ".utf8))
        }
        return root["model"]?["merges"]?.node.elements.map { element in
            if let line = element.string { return Array(line.utf8) }
            let sides = element.elements.compactMap { $0.string.map { spelled(Array($0.utf8)) } }
            return Array(sides.joined(separator: [UInt8(ascii: " ")]))
        } ?? []
    }
}

extension Normalizer {
    var charactersMap: CharactersMap? {
        switch self {
        case .charactersMap(let map): map
        case .sequence(let parts): parts.lazy.compactMap(\.charactersMap).first
        case .sentencePiece(let normalizer): normalizer.map
        default: nil
        }
    }
}
