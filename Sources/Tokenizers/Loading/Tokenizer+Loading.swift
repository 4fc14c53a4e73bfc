import Foundation
public import TensorFiles

extension Tokenizer {
    /// Loads a Hub directory (tokenizer.json or tokenizer.model, and what lies beside them), one of those files, a
    /// GGUF file, or the directory of a safetensors file.
    public convenience init(path: String) throws {
        var isDirectory: ObjCBool = false
        let exists = unsafe FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory)
        guard exists else { throw TokenizerError.notFound(path: path, expected: ["a file or a directory"]) }
        if isDirectory.boolValue {
            try self.init(directory: path)
        } else if path.hasSuffix(".safetensors") || path.hasSuffix("config.json") {
            try self.init(directory: Self.directory(of: path))
        } else if path.hasSuffix(".json") {
            try self.init(Self.parts(tokenizerJSON: path, HubFiles(directory: Self.directory(of: path))))
        } else {
            let file = try MappedFile(path: path)
            let isGGUF = file.byteCount >= 4 && file.withBytes(0..<4) { $0.copied() } == Array("GGUF".utf8)
            if isGGUF {
                try self.init(gguf: GGUFFile(file).metadata, file: path)
            } else {
                try self.init(
                    Self.parts(sentencePiece: file, HubFiles(directory: Self.directory(of: path))))
            }
        }
    }

    /// Loads a Hub directory.
    public convenience init(directory: String) throws {
        let files = try HubFiles(directory: directory)
        let json = directory + "/tokenizer.json"
        let model = directory + "/tokenizer.model"
        if FileManager.default.fileExists(atPath: json) {
            try self.init(Self.parts(tokenizerJSON: json, files))
        } else if FileManager.default.fileExists(atPath: model) {
            try self.init(Self.parts(sentencePiece: MappedFile(path: model), files))
        } else {
            throw TokenizerError.notFound(path: directory, expected: ["tokenizer.json", "tokenizer.model"])
        }
    }

    /// Loads the vocabulary inside a GGUF file; `file` is named in errors.
    public convenience init(gguf metadata: GGUFMetadata, file: String) throws(TokenizerError) {
        try self.init(GGUFVocabulary(metadata: metadata, file: file).parts(file: file))
    }

    private static func directory(of path: String) -> String {
        let directory = (path as NSString).deletingLastPathComponent
        return directory.isEmpty ? "." : directory
    }

    private static func parts(tokenizerJSON path: String, _ files: HubFiles) throws -> Parts {
        var parts = try TokenizerJSON(path: path).parts()
        var known = Set(parts.added.map(\.id))
        let contents = Set(parts.added.map(\.content))
        for token in try files.declaredTokens()
        where !known.contains(token.id) && !contents.contains(token.content) && token.id >= parts.model.table.count {
            parts.added.append(token)
            known.insert(token.id)
        }
        // Beside SentencePiece's own file, text is text, as SentencePiece takes it.
        let model = files.directory + "/tokenizer.model"
        if FileManager.default.fileExists(atPath: model) { parts.parsesSpecial = false }
        try parts.applyConfiguration(files)
        return parts
    }

    private static func parts(sentencePiece file: MappedFile, _ files: HubFiles) throws -> Parts {
        guard file.byteCount <= 1 << 30 else {
            throw TokenizerError.unreadable(path: file.path, reason: "it is larger than 1 GiB")
        }
        let bytes = file.withBytes { $0.copied() }
        var parts = try SentencePieceFile(parsing: bytes, file: file.path).parts()
        let pieces = parts.model.table.count
        for token in try files.declaredTokens() where token.id >= pieces { parts.added.append(token) }
        try parts.applyConfiguration(files)
        return parts
    }
}

extension Tokenizer.Parts {
    /// Special ids, flags and templates from the files beside the tokenizer.
    fileprivate mutating func applyConfiguration(_ files: HubFiles) throws {
        // Later tokens of the same text win, as in the reference's map from text to id.
        var byContent: [String: Int] = [:]
        for token in added { byContent[token.content] = token.id }
        func id(_ key: String) -> Int? {
            guard let text = files.tokenText(key) else { return nil }
            return byContent[text] ?? modelId(text)
        }
        special.bos = id("bos_token") ?? special.bos ?? files.ids("bos_token_id").first
        special.eos = id("eos_token") ?? special.eos ?? files.ids("eos_token_id").first
        special.unknown = id("unk_token") ?? special.unknown
        special.padding = id("pad_token") ?? special.padding ?? files.ids("pad_token_id").first
        special.separator = id("sep_token")
        special.classification = id("cls_token")
        special.mask = id("mask_token")
        if let flag = files.tokenizerConfig?["add_bos_token"]?.node.bool { special.addsBos = flag }
        if let flag = files.tokenizerConfig?["add_eos_token"]?.node.bool { special.addsEos = flag }
        special.endOfGeneration.formUnion(files.ids("eos_token_id"))
        finishSpecialTokens()
        chatTemplates = try files.chatTemplates()
    }

    func modelId(_ text: String) -> Int? {
        var bytes = Array(text.utf8)
        if case .bytePair(let model) = model, model.byteLevel {
            guard let raw = ByteAlphabet.decode(bytes) else { return model.literals[text] }
            bytes = raw
        }
        let id = model.table.find(bytes)
        return id >= 0 ? id : nil
    }

    /// What follows from the texts of special tokens: where generation ends.
    mutating func finishSpecialTokens() {
        for token in added where SpecialTokens.endingTexts.contains(token.content) {
            special.endOfGeneration.insert(token.id)
        }
        if let eos = special.eos { special.endOfGeneration.insert(eos) }
        for text in SpecialTokens.turnEndingTexts where special.eot == nil {
            special.eot = added.first { $0.content == text }?.id
        }
        special.eom = special.eom ?? added.first { $0.content == "<|eom_id|>" }?.id
        let size = max(model.table.count, (added.map(\.id).max() ?? -1) + 1)
        special.endOfGeneration = special.endOfGeneration.filter { $0 >= 0 && $0 < size }
    }
}
