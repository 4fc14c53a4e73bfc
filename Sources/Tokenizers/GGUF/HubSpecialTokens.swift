import TensorFiles

/// Which special ids and flags a Hub directory gets in GGUF: the rules of llama.cpp's converter, which looks at
/// tokenizer.json's added tokens and template first, then at tokenizer_config.json, then at config.json.
struct HubSpecialTokens {
    private(set) var ids: [String: Int] = [:]
    private(set) var adds: [String: Bool] = [:]
    private var kinds = ["bos", "eos", "unk", "sep", "pad", "cls", "mask"]
    /// "bos_token" and so on of tokenizer_config.json, as they come to be understood.
    private var texts: [String: String] = [:]

    init(tokenizerJSON root: JSONNode?, files: HubFiles, vocabularySize: Int) {
        let config = files.tokenizerConfig?.node
        for kind in kinds {
            guard let entry = config?["\(kind)_token"] else { continue }
            texts[kind] = entry.string ?? entry["content"]?.string
        }
        if let root {
            if texts["bos"] == nil, let text = texts["cls"] { texts["bos"] = text }
            if texts["eos"] == nil, let text = texts["sep"] { texts["eos"] = text }
            if let processor = root["post_processor"], processor.kind == .object {
                let parts = processor["processors"].map { Array($0.elements) } ?? [processor]
                for part in parts { readProcessor(part, hasConfig: config != nil) }
            }
        }
        if config != nil {
            let added = root?["added_tokens"].map { Array($0.elements) } ?? []
            for kind in kinds {
                if let flag = config?["add_\(kind)_token"]?.bool { adds[kind] = flag }
                guard let text = texts[kind] else { continue }
                let id = added.first { $0["content"]?.string == text }?["id"]?.int
                set(kind, id, vocabularySize)
            }
        }
        guard let model = files.config?.node else { return }
        for kind in kinds {
            let value = model["\(kind)_token_id"].flatMap { $0.isNull ? nil : $0 }
            set(kind, (value ?? model["text_config"]?["\(kind)_token_id"])?.int, vocabularySize)
        }
    }

    private mutating func set(_ kind: String, _ id: Int?, _ size: Int) {
        guard let id, id >= 0, id < size, ids[kind] == nil else { return }
        ids[kind] = id
    }

    private mutating func readProcessor(_ node: JSONNode, hasConfig: Bool) {
        switch node["type"]?.string {
        case "RobertaProcessing":
            for kind in ["bos", "eos", "sep"] { adds[kind] = true }
        case "TemplateProcessing":
            let single = node["single"].map { Array($0.elements) } ?? []
            func special(_ node: JSONNode?) -> String? {
                guard let text = node?["SpecialToken"]?["id"]?.string, !text.isEmpty else { return nil }
                return text
            }
            guard single.count > 1 else { return }
            let first = special(single.first)
            let last = special(single.last)
            if let first {
                let bos = hasConfig ? texts["bos"] : first
                adds["bos"] = first == bos || first == texts["cls"]
            }
            if let last {
                if !hasConfig {
                    adds["eos"] = true
                } else {
                    // The template's last token ends a text; what was called so ends a turn.
                    if last != texts["eos"] {
                        for kind in ["eot", "eom"] where !kinds.contains(kind) {
                            kinds.append(kind)
                            texts[kind] = texts["eos"]
                            break
                        }
                        texts["eos"] = last
                    }
                    adds["eos"] = true
                }
            }
            readPair(node["pair"].map { Array($0.elements) } ?? [], first, last, special)
        default: break
        }
    }

    /// Whether a separator stands between two texts.
    private mutating func readPair(
        _ pair: [JSONNode], _ first: String?, _ last: String?, _ special: (JSONNode?) -> String?
    ) {
        guard !pair.isEmpty else { return }
        var parts = pair[...]
        if let first, special(parts.first) == first { parts = parts.dropFirst() }
        if let last, special(parts.last) == last { parts = parts.dropLast() }
        guard parts.count > 2, parts.first?["Sequence"]?["id"]?.string == "A",
            parts.last?["Sequence"]?["id"]?.string == "B"
        else { return }
        let between = parts.dropFirst().dropLast()
        let ends = [texts["sep"], texts["eos"]].compactMap { $0 }
        var separates = false
        if let entry = special(between.first), ends.contains(entry), last == nil { separates = true }
        if between.count == 2, let entry = special(between.last), ends.contains(entry) { separates = true }
        adds["sep"] = separates
        if separates, texts["sep"] == nil { texts["sep"] = texts["eos"] }
    }
}
