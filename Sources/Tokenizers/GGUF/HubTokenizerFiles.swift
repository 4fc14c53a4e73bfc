/// The tokenizer's files of a Hub directory, made from a GGUF's vocabulary.
public struct HubTokenizerFiles: Sendable {
    /// Name and content.
    public private(set) var files: [(name: String, bytes: [UInt8])] = []

    /// tokenizer.json for byte-pair vocabularies, tokenizer.model for SentencePiece's; tokenizer_config.json with
    /// special tokens and chat template beside either.
    public init(_ vocabulary: GGUFVocabulary) throws(TokenizerError) {
        switch vocabulary.model {
        case "gpt2", "gemma4":
            files.append(("tokenizer.json", try TokenizerJSONWriter(vocabulary).bytes))
        case "llama", "t5":
            files.append(("tokenizer.model", SentencePieceWriter(vocabulary).bytes))
        default:
            throw .notExportable(format: "Hub files", reason: "a vocabulary of kind \"\(vocabulary.model)\"")
        }
        files.append(("tokenizer_config.json", Self.configuration(vocabulary)))
    }

    private static func configuration(_ vocabulary: GGUFVocabulary) -> [UInt8] {
        var json = JSONText()
        let isModel = vocabulary.model == "llama" || vocabulary.model == "t5"
        func text(_ id: Int?) -> String? {
            guard let id, vocabulary.tokens.indices.contains(id) else { return nil }
            return String(decoding: vocabulary.tokens[id], as: UTF8.self)
        }
        json.object { json in
            if let flag = vocabulary.special.addsBos { json.member("add_bos_token") { $0.bool(flag) } }
            if let flag = vocabulary.special.addsEos { json.member("add_eos_token") { $0.bool(flag) } }
            if isModel, let flag = vocabulary.addsSpacePrefix { json.member("add_prefix_space") { $0.bool(flag) } }
            json.member("added_tokens_decoder") { json in
                json.object { json in
                    for token in vocabulary.addedTokensForHub
                    where isModel ? vocabulary.isBeside(token.id) : token.isSpecial {
                        json.member(String(token.id)) { json in
                            json.object { json in
                                json.member("content") { $0.string(token.content) }
                                for key in ["lstrip", "normalized", "rstrip", "single_word"] {
                                    json.member(key) { $0.bool(false) }
                                }
                                json.member("special") { $0.bool(token.isSpecial) }
                            }
                        }
                    }
                }
            }
            for (key, id) in [
                ("bos_token", vocabulary.special.bos), ("eos_token", vocabulary.special.eos),
                ("mask_token", vocabulary.special.mask), ("pad_token", vocabulary.special.padding),
                ("sep_token", vocabulary.special.separator), ("unk_token", vocabulary.special.unknown),
            ] {
                if let text = text(id) { json.member(key) { $0.string(text) } }
            }
            let templates = vocabulary.chatTemplates
            if templates.count == 1, let only = templates.first, only.name == "default" {
                json.member("chat_template") { $0.string(only.source) }
            } else if !templates.isEmpty {
                json.member("chat_template") { json in
                    json.array { json in
                        for template in templates {
                            json.element { json in
                                json.object { json in
                                    json.member("name") { $0.string(template.name) }
                                    json.member("template") { $0.string(template.source) }
                                }
                            }
                        }
                    }
                }
            }
            json.member("clean_up_tokenization_spaces") { $0.bool(false) }
            if isModel {
                json.member("legacy") { $0.bool(true) }
                json.member("sp_model_kwargs") { $0.object { _ in } }
            }
            json.member("tokenizer_class") { $0.string(isModel ? "LlamaTokenizer" : "PreTrainedTokenizerFast") }
        }
        return json.bytes + [UInt8(ascii: "\n")]
    }
}

extension GGUFVocabulary {
    /// Whether a token came from files beside tokenizer.model: the converter gives those one score of their own.
    fileprivate func isBeside(_ id: Int) -> Bool { scores?[id] == -1000 && kinds?[id] != .unknown }

    /// Control tokens and those that a user defined; padding rows are no tokens.
    var addedTokensForHub: [AddedToken] {
        tokens.indices.compactMap { id in
            guard let kind = kinds?[id], kind == .control || kind == .userDefined || kind == .unknown else {
                return nil
            }
            return AddedToken(
                id: id, content: String(decoding: tokens[id], as: UTF8.self), isSpecial: kind != .userDefined)
        }
    }
}
