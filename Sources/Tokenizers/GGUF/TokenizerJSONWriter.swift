/// Writes `tokenizer.json` for a GGUF's byte-pair vocabulary.
struct TokenizerJSONWriter {
    private(set) var bytes: [UInt8] = []

    init(_ vocabulary: GGUFVocabulary) throws(TokenizerError) {
        let name = vocabulary.model == "gemma4" ? "gemma4" : vocabulary.preTokenizer ?? "default"
        guard let pre = NamedPreTokenizer.all[name] else {
            throw .notExportable(format: "tokenizer.json", reason: "the pre-tokenizer \"\(name)\" is not known")
        }
        let added = vocabulary.addedTokensForHub
        let addedIds = Set(added.map(\.id))
        var seen = ByteTable(capacity: vocabulary.tokens.count)
        var json = JSONText()
        json.object { json in
            json.member("version") { $0.string("1.0") }
            json.member("truncation") { $0.null() }
            json.member("padding") { $0.null() }
            json.member("added_tokens") { json in
                json.array { json in
                    for token in added { json.element { $0.addedToken(token) } }
                }
            }
            json.member("normalizer") { $0.normalizer(name, pre) }
            json.member("pre_tokenizer") { $0.preTokenizer(vocabulary.expressions ?? pre.expressions, pre) }
            json.member("post_processor") { $0.postProcessor(vocabulary, pre) }
            json.member("decoder") { $0.decoder(pre) }
            json.member("model") { json in
                json.object { json in
                    json.member("type") { $0.string("BPE") }
                    for key in ["dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix"] {
                        json.member(key) { $0.null() }
                    }
                    json.member("fuse_unk") { $0.bool(false) }
                    json.member("byte_fallback") { $0.bool(!pre.byteLevel) }
                    json.member("ignore_merges") { $0.bool(pre.ignoresMerges) }
                    json.member("vocab") { json in
                        json.object { json in
                            for (id, token) in vocabulary.tokens.enumerated() {
                                let kind = vocabulary.kinds?[id] ?? .normal
                                guard !addedIds.contains(id), kind != .unused, seen.append(token) != nil else {
                                    continue
                                }
                                json.member(token) { $0.number(id) }
                            }
                        }
                    }
                    json.member("merges") { json in
                        json.array { json in
                            for merge in vocabulary.merges ?? [] {
                                let space = merge.dropFirst().firstIndex(of: UInt8(ascii: " "))
                                guard let space else { continue }
                                json.element { json in
                                    json.array { json in
                                        json.element { $0.string(merge[..<space]) }
                                        json.element { $0.string(merge[(space + 1)...]) }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
        bytes = json.bytes + [UInt8(ascii: "\n")]
    }
}

extension JSONText {
    fileprivate mutating func addedToken(_ token: AddedToken) {
        object { json in
            json.member("id") { $0.number(token.id) }
            json.member("content") { $0.string(token.content) }
            for key in ["single_word", "lstrip", "rstrip", "normalized"] { json.member(key) { $0.bool(false) } }
            json.member("special") { $0.bool(token.isSpecial) }
        }
    }

    private mutating func typed(_ type: String, _ body: (inout JSONText) -> Void = { _ in }) {
        object { json in
            json.member("type") { $0.string(type) }
            body(&json)
        }
    }

    private mutating func textPattern(_ key: String, _ text: String) {
        member("pattern") { json in json.object { json in json.member(key) { $0.string(text) } } }
    }

    private mutating func replacement(_ old: String, _ new: String) {
        typed("Replace") { json in
            json.textPattern("String", old)
            json.member("content") { $0.string(new) }
        }
    }

    fileprivate mutating func normalizer(_ name: String, _ pre: NamedPreTokenizer) {
        if !pre.byteLevel {
            replacement(" ", "▁")
        } else if ["qwen2", "deepseek-r1-qwen", "qwen35"].contains(name) {
            typed("NFC")
        } else {
            null()
        }
    }

    fileprivate mutating func preTokenizer(_ expressions: [String], _ pre: NamedPreTokenizer) {
        func split(_ expression: String, _ json: inout JSONText) {
            json.typed("Split") { json in
                json.textPattern("Regex", expression)
                json.member("behavior") { $0.string("Isolated") }
                json.member("invert") { $0.bool(false) }
            }
        }
        func byteLevel(regex: Bool, _ json: inout JSONText) {
            json.typed("ByteLevel") { json in
                json.member("add_prefix_space") { $0.bool(false) }
                json.member("trim_offsets") { $0.bool(true) }
                json.member("use_regex") { $0.bool(regex) }
            }
        }
        if expressions == [Patterns.gpt2], pre.byteLevel { return byteLevel(regex: true, &self) }
        typed("Sequence") { json in
            json.member("pretokenizers") { json in
                json.array { json in
                    for expression in expressions { json.element { split(expression, &$0) } }
                    if pre.byteLevel { json.element { byteLevel(regex: false, &$0) } }
                }
            }
        }
    }

    fileprivate mutating func postProcessor(_ vocabulary: GGUFVocabulary, _ pre: NamedPreTokenizer) {
        let tokens = vocabulary.tokens
        func text(_ id: Int?, _ adds: Bool) -> (Int, String)? {
            guard adds, let id, tokens.indices.contains(id) else { return nil }
            return (id, String(decoding: tokens[id], as: UTF8.self))
        }
        let first = text(vocabulary.special.bos, vocabulary.special.addsBos ?? pre.addsBos)
        let last = text(vocabulary.special.eos, vocabulary.special.addsEos ?? false)
        guard first != nil || last != nil else { return null() }
        func part(_ kind: String, _ id: String, _ type: Int, _ json: inout JSONText) {
            json.object { json in
                json.member(kind) { json in
                    json.object { json in
                        json.member("id") { $0.string(id) }
                        json.member("type_id") { $0.number(type) }
                    }
                }
            }
        }
        typed("TemplateProcessing") { json in
            for (key, texts) in [("single", ["A"]), ("pair", ["A", "B"])] {
                json.member(key) { json in
                    json.array { json in
                        for (type, name) in texts.enumerated() {
                            if let first { json.element { part("SpecialToken", first.1, type, &$0) } }
                            json.element { part("Sequence", name, type, &$0) }
                            if let last { json.element { part("SpecialToken", last.1, type, &$0) } }
                        }
                    }
                }
            }
            json.member("special_tokens") { json in
                json.object { json in
                    var done: Set<String> = []
                    for entry in [first, last].compactMap({ $0 }) where done.insert(entry.1).inserted {
                        json.member(entry.1) { json in
                            json.object { json in
                                json.member("id") { $0.string(entry.1) }
                                json.member("ids") { json in
                                    json.array { json in json.element { $0.number(entry.0) } }
                                }
                                json.member("tokens") { json in
                                    json.array { json in json.element { $0.string(entry.1) } }
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    fileprivate mutating func decoder(_ pre: NamedPreTokenizer) {
        if pre.byteLevel {
            typed("ByteLevel") { json in
                json.member("add_prefix_space") { $0.bool(true) }
                json.member("trim_offsets") { $0.bool(true) }
                json.member("use_regex") { $0.bool(true) }
            }
            return
        }
        typed("Sequence") { json in
            json.member("decoders") { json in
                json.array { json in
                    json.element { $0.replacement("▁", " ") }
                    json.element { $0.typed("ByteFallback") }
                    json.element { $0.typed("Fuse") }
                }
            }
        }
    }
}
