import ArgumentParser
import Foundation
import TensorFiles
import Tokenizers

struct TokenizeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tokenize",
        abstract: "Gives the token ids of texts, or the text of ids.",
        discussion: """
            SOURCE is a Hub directory, a tokenizer.json, a tokenizer.model, or a GGUF file, vocabulary-only or whole.
            No special tokens are added unless --special is given.
            """)

    @Argument(help: "A model, or a tokenizer alone.")
    var source: String

    @Option(help: "A text file; its ids, as one result.")
    var text: String?

    @Option(help: "A JSON array of strings; one result for each.")
    var strings: String?

    @Option(help: "A JSON array of ids, or of arrays of ids; the text of each.")
    var ids: String?

    @Flag(help: "Add the special tokens that the model expects around a text.")
    var special = false

    @OptionGroup var common: CommonOptions

    func validate() throws {
        guard [text, strings, ids].compactMap({ $0 }).count == 1 else {
            throw ValidationError("give one of --text, --strings and --ids")
        }
    }

    private struct Item: Encodable {
        var ids: [Int]
        var text: String
    }

    private struct Report: Encodable {
        var results: [Item]
    }

    func run() throws {
        let tokenizer = try Tokenizer(path: source)
        var items: [Item] = []
        if let text {
            let content = try MappedFile(path: text).withBytes { $0.repairedText }
            items = [Item(ids: try tokenizer.encode(content, addSpecialTokens: special), text: content)]
        } else if let strings {
            for string in try Self.strings(of: strings) {
                items.append(Item(ids: try tokenizer.encode(string, addSpecialTokens: special), text: string))
            }
        } else if let ids {
            for list in try Self.idLists(of: ids) {
                items.append(Item(ids: list, text: try tokenizer.decode(list)))
            }
        }
        guard !common.json else { return try Console.json(Report(results: items)) }
        for item in items {
            let line = ids == nil ? item.ids.map(String.init).joined(separator: " ") : item.text
            Console.standardOutput(line + "\n")
        }
    }

    private static func strings(of path: String) throws -> [String] {
        let root = try JSONDocument(path: path).root
        let strings = root.elements.compactMap(\.string)
        guard root.kind == .array, strings.count == root.elements.reduce(0, { count, _ in count + 1 }) else {
            throw TokenizerError.malformed(
                file: path, key: "(document)", expected: "an array of strings", found: "something else")
        }
        return strings
    }

    /// One list for an array of numbers, several for an array of arrays.
    private static func idLists(of path: String) throws -> [[Int]] {
        let root = try JSONDocument(path: path).root
        func list(_ node: JSONNode) throws -> [Int] {
            try node.elements.map { element in
                guard let id = element.int else {
                    throw TokenizerError.malformed(
                        file: path, key: "byte \(element.byteOffset)", expected: "a token id",
                        found: "\(element.kind)")
                }
                return id
            }
        }
        guard root.kind == .array else {
            throw TokenizerError.malformed(
                file: path, key: "(document)", expected: "an array of ids", found: "\(root.kind)")
        }
        let elements = Array(root.elements)
        guard elements.contains(where: { $0.kind == .array }) else { return [try list(root)] }
        return try elements.map { element in
            guard element.kind == .array else {
                throw TokenizerError.malformed(
                    file: path, key: "byte \(element.byteOffset)", expected: "an array of ids",
                    found: "\(element.kind)")
            }
            return try list(element)
        }
    }
}
