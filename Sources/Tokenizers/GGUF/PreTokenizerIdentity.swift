/// Finds the name that llama.cpp has for a pre-tokenizer by what it does, not by the ids of a test sentence.
struct PreTokenizerIdentity {
    var name: String
    /// What the named pre-tokenizer does differently; empty when it does the same.
    var notes: [String] = []
    /// The expressions, when no name stands for them.
    var expressions: [String]?

    init(_ parts: Tokenizer.Parts) {
        var ignoresMerges = false
        if case .bytePair(let model) = parts.model { ignoresMerges = model.ignoreMerges }
        let steps = parts.preTokenizer.steps
        guard let expressions = Self.expressions(of: steps), !parts.preTokenizer.readsAlphabet else {
            name = "default"
            notes = [
                "the pre-tokenizer cannot be said in GGUF; \"default\" stands in for it, and texts may get other tokens"
            ]
            return
        }
        let composes = if case .canonicalComposition? = parts.normalizer?.last { true } else { false }
        let wanted = expressions.map(Self.canonical)
        // The name that people expect for each structure; others with the same structure read alike.
        let candidates = Self.preferred.filter { name in
            guard let named = NamedPreTokenizer.all[name] else { return false }
            return named.byteLevel && named.expressions.map(Self.canonical) == wanted
        }
        let exact = candidates.filter { NamedPreTokenizer.all[$0]?.ignoresMerges == ignoresMerges }
        // Qwen's text is composed first, StableLM's with the same expression is not.
        if exact.contains("qwen2") {
            name = composes ? "qwen2" : "stablelm2"
        } else if let found = exact.first ?? candidates.first {
            name = found
            if exact.isEmpty {
                notes.append(
                    ignoresMerges
                        ? "whole words that are tokens are tokens here whatever the merges say; \"\(found)\" merges"
                        : "merges decide here even where a whole word is a token; \"\(found)\" takes the token")
            }
        } else {
            name = "default"
            self.expressions = expressions
            notes.append(
                "llama.cpp has no name for this pre-tokenizer: \"default\" is written, with which llama.cpp will give"
                    + " some texts other tokens; foretoken reads the true expressions from the file")
        }
        if parts.normalizer != nil, name != "qwen2" || !composes {
            notes.append(
                "the normalizer of tokenizer.json cannot be said in GGUF; unusual characters may get other tokens")
        }
    }

    private static let preferred = [
        "llama-bpe", "dbrx", "glm4", "gpt-2", "starcoder", "qwen2", "qwen35", "deepseek-llm", "deepseek-coder",
        "deepseek-v3", "gpt-4o", "granite-embed-multi-97m", "tekken", "falcon", "bloom", "viking", "minicpm5",
        "jais-2", "laguna", "ufakzeka", "seed-coder", "bailingmoe", "exaone-moe", "tiny_aya", "youtu", "spark2_5",
        "kimi-k2", "chameleon", "superbpe", "default",
    ]

    /// `nil` when a step does something else than cutting at a pattern's matches.
    static func expressions(of steps: [PreTokenizer.Step]) -> [String]? {
        var expressions: [String] = []
        for step in steps {
            guard case .split(let splitter) = step else { return nil }
            switch (splitter.behavior, splitter.inverted) {
            // What the well-known expressions leave unmatched is nothing, so that removing it changes nothing.
            case (.isolated, false), (.removed, true): expressions.append(splitter.pattern.source)
            case (.contiguous, false) where splitter.pattern.source == #"\p{N}"#: expressions.append(#"\p{N}+"#)
            case (.contiguous, false) where splitter.pattern.source == Patterns.punctuation:
                expressions.append(Patterns.falconPunctuation)
            default: return nil
            }
        }
        return expressions
    }

    /// Spellings of one expression that people use for another.
    static func canonical(_ expression: String) -> String {
        var text = expression
        for (spelling, form) in [
            ("(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])", "(?i:'s|'t|'re|'ve|'m|'ll|'d)"),
            ("'(?i:[sdmt]|ll|ve|re)", "(?i:'s|'t|'re|'ve|'m|'ll|'d)"), ("\\p{N}{1}|", "\\p{N}|"),
            ("(?+", "(?"), ("++", "+"), ("?+", "?"), ("\r", "\\r"), ("\n", "\\n"), (#"\d{1}"#, #"\d"#),
        ] {
            text = text.replacingOccurrences(of: spelling, with: form)
        }
        // What no alternative matches is a piece of its own all the same.
        if text.hasSuffix(#"|\s+"#) { text.removeLast(4) }
        return text
    }
}

extension String {
    fileprivate func replacingOccurrences(of old: String, with new: String) -> String {
        String(decoding: Normalizer.replace(Array(utf8), Array(old.utf8), Array(new.utf8)), as: UTF8.self)
    }
}
