import Foundation
import TensorFiles

/// The small files beside a tokenizer in a Hub directory; each may be absent.
struct HubFiles {
    let directory: String
    let tokenizerConfig: CheckedNode?
    let specialTokensMap: CheckedNode?
    let addedTokens: CheckedNode?
    let generationConfig: CheckedNode?
    let config: CheckedNode?

    init(directory: String) throws {
        func read(_ name: String) throws -> CheckedNode? {
            let path = directory + "/" + name
            guard FileManager.default.fileExists(atPath: path) else { return nil }
            let document = try JSONDocument(path: path, duplicateKeys: .allowed)
            return CheckedNode(node: document.root, file: path, path: "")
        }
        self.directory = directory
        tokenizerConfig = try read("tokenizer_config.json")
        specialTokensMap = try read("special_tokens_map.json")
        addedTokens = try read("added_tokens.json")
        generationConfig = try read("generation_config.json")
        config = try read("config.json")
    }

    /// The text of a special token: "bos_token" and so on, written as a string or as an object.
    func tokenText(_ key: String) -> String? {
        for file in [tokenizerConfig, specialTokensMap] {
            guard let node = file?[key]?.node else { continue }
            if let text = node.string ?? node["content"]?.string { return text }
        }
        return nil
    }

    /// Added tokens of tokenizer_config.json (`added_tokens_decoder`) and added_tokens.json, by id.
    func declaredTokens() throws(TokenizerError) -> [AddedToken] {
        var tokens: [Int: AddedToken] = [:]
        for member in addedTokens?.node.members ?? CheckedNode.noMembers {
            guard let id = member.value.int, id >= 0, id < Int(Int32.max) else { continue }
            tokens[id] = AddedToken(id: id, content: member.key, isSpecial: false)
        }
        if let decoder = tokenizerConfig?["added_tokens_decoder"] {
            for member in decoder.node.members {
                guard let id = Int(member.key), id >= 0, id < Int(Int32.max) else { continue }
                let node = CheckedNode(node: member.value, file: decoder.file, path: "\(decoder.path).\(member.key)")
                var token = AddedToken(
                    id: id, content: try node.required("content").string(),
                    isSpecial: try node.bool("special", default: false))
                token.singleWord = try node.bool("single_word", default: false)
                token.stripsLeft = try node.bool("lstrip", default: false)
                token.stripsRight = try node.bool("rstrip", default: false)
                token.isNormalized = try node.bool("normalized", default: !token.isSpecial)
                tokens[id] = token
            }
        }
        return tokens.values.sorted { $0.id < $1.id }
    }

    /// `chat_template` of tokenizer_config.json (a string, or a list of named ones), else the files for it.
    func chatTemplates() throws -> [(name: String, source: String)] {
        var templates: [(name: String, source: String)] = []
        let alone = directory + "/chat_template.jinja"
        let wrapped = directory + "/chat_template.json"
        if let node = tokenizerConfig?["chat_template"]?.node {
            if let source = node.string { return [("default", source)] }
            for element in node.elements {
                guard let name = element["name"]?.string, let source = element["template"]?.string else { continue }
                templates.append((name, source))
            }
            return templates
        }
        if FileManager.default.fileExists(atPath: alone) {
            templates.append(("default", try String(contentsOfFile: alone, encoding: .utf8)))
            let more = directory + "/additional_chat_templates"
            for name in (try? FileManager.default.contentsOfDirectory(atPath: more))?.sorted() ?? []
            where name.hasSuffix(".jinja") {
                let source = try String(contentsOfFile: more + "/" + name, encoding: .utf8)
                templates.append((String(name.dropLast(6)), source))
            }
        } else if FileManager.default.fileExists(atPath: wrapped) {
            let document = try JSONDocument(path: wrapped, duplicateKeys: .allowed)
            if let source = document.root["chat_template"]?.string { templates.append(("default", source)) }
        }
        return templates
    }

    /// Ids under a key of generation_config.json and config.json: one number, or a list.
    func ids(_ key: String) -> [Int] {
        for file in [generationConfig, config] {
            guard let node = file?[key]?.node ?? file?["text_config"]?[key]?.node else { continue }
            if let id = node.int { return [id] }
            let ids = node.elements.compactMap(\.int)
            if !ids.isEmpty { return ids }
        }
        return []
    }
}

extension CheckedNode {
    /// For loops over what may be absent.
    static let noMembers = noDocument.root.members
    private static let noDocument: JSONDocument = {
        do {
            return try JSONDocument(MappedFile(bytes: Array("{}".utf8), name: ""))
        } catch {
            preconditionFailure("an empty object is JSON")
        }
    }()
}
