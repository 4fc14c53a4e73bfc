import Foundation
import TensorFiles

extension TokenizerJSON {
    func normalizer(_ node: CheckedNode) throws(TokenizerError) -> Normalizer {
        switch try node.type() {
        case "Sequence":
            var normalizers: [Normalizer] = []
            for part in try node.required("normalizers").array() { normalizers.append(try normalizer(part)) }
            return .sequence(normalizers)
        case "NFC": return .canonicalComposition
        case "NFD": return .canonicalDecomposition
        case "NFKC": return .compatibilityComposition
        case "NFKD": return .compatibilityDecomposition
        case "Lowercase": return .lowercase
        case "StripAccents": return .stripAccents
        case "Nmt": return .machineTranslation
        case "ByteLevel": return .byteLevel
        case "Strip":
            return .strip(
                left: try node.bool("strip_left", default: true), right: try node.bool("strip_right", default: true))
        case "Prepend": return .prepend(try node.required("prepend").bytes())
        case "Replace":
            let content = try node.required("content").bytes()
            switch try pattern(node.required("pattern")) {
            case .text(let text): return .replace(text, with: content)
            case .expression(let pattern): return .replacePattern(pattern, with: content)
            }
        case "Precompiled":
            let text = try node.required("precompiled_charsmap").string()
            guard let data = Data(base64Encoded: text), let map = CharactersMap(Array(data)) else {
                throw .malformed(
                    file: file, key: node.path + ".precompiled_charsmap", expected: "a trie and its replacements",
                    found: "\(text.utf8.count) other characters")
            }
            return .charactersMap(map)
        case let type:
            throw node.unsupported(
                type,
                known: [
                    "Sequence", "NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents", "Nmt", "ByteLevel",
                    "Strip",
                    "Prepend", "Replace", "Precompiled",
                ])
        }
    }

    enum PatternSource {
        case text([UInt8])
        case expression(Pattern)
    }

    private func pattern(_ node: CheckedNode) throws(TokenizerError) -> PatternSource {
        if let text = node["String"] { return .text(try text.bytes()) }
        if let expression = node["Regex"] {
            return .expression(try Pattern(try expression.string(), file: file))
        }
        throw node.failure("{\"String\": …} or {\"Regex\": …}")
    }

    private func splitter(
        _ expression: String, _ behavior: SplitBehavior, inverted: Bool = false
    ) throws(TokenizerError) -> PreTokenizer.Step {
        .split(Splitter(pattern: try Pattern(expression, file: file), behavior: behavior, inverted: inverted))
    }

    private func behavior(_ node: CheckedNode) throws(TokenizerError) -> SplitBehavior {
        let text = try node["behavior"]?.string() ?? "Isolated"
        guard let behavior = SplitBehavior(rawValue: text) else {
            throw node.unsupported(
                text, known: ["Isolated", "Removed", "MergedWithPrevious", "MergedWithNext", "Contiguous"])
        }
        return behavior
    }

    func preTokenizerSteps(_ node: CheckedNode) throws(TokenizerError) -> [PreTokenizer.Step] {
        switch try node.type() {
        case "Sequence":
            var steps: [PreTokenizer.Step] = []
            for part in try node.required("pretokenizers").array() { steps += try preTokenizerSteps(part) }
            return steps
        case "ByteLevel":
            var steps: [PreTokenizer.Step] = []
            if try node.bool("add_prefix_space", default: true) { steps.append(.prefixSpace) }
            if try node.bool("use_regex", default: true) { steps.append(try splitter(Patterns.gpt2, .isolated)) }
            return steps + [.byteAlphabet]
        case "Split":
            let inverted = try node.bool("invert", default: false)
            switch try pattern(node.required("pattern")) {
            case .text(let text):
                return [try splitter(Patterns.quote(text), try behavior(node), inverted: inverted)]
            case .expression(let pattern):
                return [.split(Splitter(pattern: pattern, behavior: try behavior(node), inverted: inverted))]
            }
        case "Digits":
            let individual = try node.bool("individual_digits", default: false)
            return [try splitter(#"\p{N}"#, individual ? .isolated : .contiguous)]
        case "Punctuation": return [try splitter(Patterns.punctuation, try behavior(node))]
        case "Whitespace": return [try splitter(Patterns.wordOrSymbols, .removed, inverted: true)]
        case "WhitespaceSplit": return [try splitter(#"\s"#, .removed)]
        case "BertPreTokenizer":
            return [try splitter(#"\s"#, .removed), try splitter(Patterns.punctuation, .isolated)]
        case "Metaspace":
            let mark = try node["replacement"]?.bytes() ?? SentencePieceNormalizer.mark
            var prepend = PreTokenizer.Prepend.always
            if let scheme = node["prepend_scheme"] {
                guard let known = PreTokenizer.Prepend(rawValue: try scheme.string()) else {
                    throw scheme.unsupported(try scheme.string(), known: ["always", "first", "never"])
                }
                prepend = known
            } else if try !node.bool("add_prefix_space", default: true) {
                prepend = .never
            }
            let spacing = PreTokenizer.Step.metaspace(mark: mark, prepend: prepend)
            guard try node.bool("split", default: true) else { return [spacing] }
            return [spacing, try splitter(Patterns.quote(mark), .mergedWithNext)]
        case let type:
            throw node.unsupported(
                type,
                known: [
                    "Sequence", "ByteLevel", "Split", "Digits", "Punctuation", "Whitespace", "WhitespaceSplit",
                    "BertPreTokenizer", "Metaspace",
                ])
        }
    }

    func decoder(_ node: CheckedNode) throws(TokenizerError) -> TokenDecoder {
        switch try node.type() {
        case "Sequence":
            var decoders: [TokenDecoder] = []
            for part in try node.required("decoders").array() { decoders.append(try decoder(part)) }
            return .sequence(decoders)
        case "ByteLevel": return .byteLevel
        case "ByteFallback": return .byteFallback
        case "Fuse": return .fuse
        case "Replace":
            guard case .text(let text) = try pattern(node.required("pattern")) else {
                throw node.unsupported("a regular expression", known: ["a string"])
            }
            return .replace(text, with: try node.required("content").bytes())
        case "Strip":
            let limit = 1 << 20
            return .strip(
                try node.required("content").bytes(), start: min(limit, max(0, try node["start"]?.int() ?? 0)),
                stop: min(limit, max(0, try node["stop"]?.int() ?? 0)))
        case "Metaspace":
            let mark = try node["replacement"]?.bytes() ?? SentencePieceNormalizer.mark
            let scheme = try node["prepend_scheme"]?.string() ?? "always"
            let prepends = try node.bool("add_prefix_space", default: true)
            return .metaspace(mark: mark, dropsFirst: scheme != "never" && prepends)
        case "BPEDecoder": return .suffix(try node["suffix"]?.bytes() ?? Array("</w>".utf8))
        case let type:
            throw node.unsupported(
                type,
                known: [
                    "Sequence", "ByteLevel", "ByteFallback", "Fuse", "Replace", "Strip", "Metaspace", "BPEDecoder",
                ])
        }
    }

    func postProcessor(_ node: CheckedNode, _ added: [AddedToken]) throws(TokenizerError) -> PostProcessor {
        switch try node.type() {
        case "ByteLevel": return PostProcessor()
        case "Sequence":
            var result = PostProcessor()
            for part in try node.required("processors").array() {
                let processor = try postProcessor(part, added)
                guard processor.isExplicit else { continue }
                result.before = processor.before + result.before
                result.after += processor.after
                result.isExplicit = true
            }
            return result
        case "TemplateProcessing": return try templateProcessing(node)
        case "BertProcessing", "RobertaProcessing":
            func id(_ key: String) throws(TokenizerError) -> Int {
                let pair = try node.required(key).array()
                guard pair.count == 2 else { throw node.failure("a token and its id") }
                return try pair[1].int()
            }
            return PostProcessor(before: [try id("cls")], after: [try id("sep")], isExplicit: true)
        case let type:
            throw node.unsupported(
                type,
                known: ["Sequence", "ByteLevel", "TemplateProcessing", "BertProcessing", "RobertaProcessing"])
        }
    }

    private func templateProcessing(_ node: CheckedNode) throws(TokenizerError) -> PostProcessor {
        var result = PostProcessor(isExplicit: true)
        var afterText = false
        for part in try node.required("single").array() {
            if part["Sequence"] != nil {
                afterText = true
                continue
            }
            let name = try part.required("SpecialToken").required("id").string()
            var ids: [Int] = []
            for id in try node.required("special_tokens").required(name).required("ids").array() {
                ids.append(try id.int())
            }
            if afterText { result.after += ids } else { result.before += ids }
        }
        return result
    }
}

extension Normalizer {
    /// The one that runs last.
    var last: Normalizer? {
        if case .sequence(let parts) = self { parts.last?.last } else { self }
    }
}
