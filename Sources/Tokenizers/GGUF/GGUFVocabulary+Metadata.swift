public import TensorFiles

extension GGUFVocabulary {
    /// The keys and values to write, in the order of llama.cpp's converter.
    public var metadata: [(key: String, value: GGUFValue)] {
        var entries: [(key: String, value: GGUFValue)] = []
        func add(_ key: String, _ value: GGUFValue?) {
            if let value { entries.append(("tokenizer." + key, value)) }
        }
        add("ggml.add_space_prefix", addsSpacePrefix.map { .bool($0) })
        add("ggml.model", .string(model))
        add("ggml.pre", preTokenizer.map { .string($0) })
        add("ggml.tokens", .array(GGUFArray(byteStrings: tokens)))
        add("ggml.scores", scores.map { .array(GGUFArray($0)) })
        add("ggml.token_type", kinds.map { .array(GGUFArray($0.map(\.rawValue))) })
        add("ggml.remove_extra_whitespaces", removesExtraSpaces.map { .bool($0) })
        add("ggml.precompiled_charsmap", charactersMap.map { .array(GGUFArray($0)) })
        add("ggml.merges", merges.map { .array(GGUFArray(byteStrings: $0)) })
        for (name, id) in [
            ("bos", special.bos), ("eos", special.eos), ("unknown", special.unknown),
            ("seperator", special.separator), ("padding", special.padding), ("mask", special.mask),
            ("eot", special.eot), ("eom", special.eom),
        ] {
            add("ggml.\(name)_token_id", id.map { .uint32(UInt32($0)) })
        }
        add("ggml.add_bos_token", special.addsBos.map { .bool($0) })
        add("ggml.add_eos_token", special.addsEos.map { .bool($0) })
        add("ggml.add_sep_token", addsSeparator.map { .bool($0) })
        for template in chatTemplates where template.name != "default" {
            add("chat_template.\(Self.keyName(template.name))", .string(template.source))
        }
        let names = chatTemplates.map(\.name).filter { $0 != "default" }
        if !names.isEmpty { add("chat_templates", .array(GGUFArray(names.map(Self.keyName)))) }
        add("chat_template", chatTemplates.first { $0.name == "default" }.map { .string($0.source) })
        if let expressions, NamedPreTokenizer.all[preTokenizer ?? ""]?.expressions != expressions {
            entries.append((Self.expressionsKey, .array(GGUFArray(expressions))))
        }
        return entries
    }

    /// Ours: the pre-tokenizer's regular expressions, where `tokenizer.ggml.pre` has no name for them.
    static let expressionsKey = "foretoken.tokenizer.expressions"

    private static func keyName(_ name: String) -> String {
        String(name.map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "_" })
    }
}
