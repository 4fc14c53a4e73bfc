import Foundation
import TensorFiles
public import Tokenizers

/// Turns what a user gives as prompts into token ids.
public struct PromptReader {
    public struct Input: Sendable {
        public var tokens: [Int]
        public var category: String?
    }

    public struct Inputs: Sendable {
        public var prompts: [Input]
        /// Why prompts were taken raw, when a chat template was wanted.
        public var note: String?
    }

    private let requireTokenizer: () throws -> Tokenizer
    private let raw: Bool

    public init(model: LanguageModel, raw: Bool = false) {
        requireTokenizer = model.requireTokenizer
        self.raw = raw
    }

    public init(tokenizer: Tokenizer, raw: Bool = false) {
        requireTokenizer = { tokenizer }
        self.raw = raw
    }

    /// Exactly one of the first four is given; `limit` cuts a prompts file.
    public func read(
        prompt: String? = nil, file: String? = nil, tokens: String? = nil, prompts: String? = nil, limit: Int? = nil
    ) throws -> Inputs {
        if let tokens {
            return Inputs(prompts: try TokenFile.read(tokens).map { Input(tokens: $0) })
        }
        var list: [Prompt] = []
        if let prompt { list.append(Prompt(text: prompt)) }
        if let file {
            list.append(Prompt(text: try MappedFile(path: file).withBytes { $0.repairedText }))
        }
        if let prompts {
            let all = try PromptFile.read(URL(fileURLWithPath: prompts))
            list += limit.map { Array(all.prefix($0)) } ?? all
        }
        return try encode(list)
    }

    /// Puts each prompt into the chat template, unless it is raw or a text to continue.
    public func encode(_ prompts: [Prompt]) throws -> Inputs {
        let tokenizer = try requireTokenizer()
        var note: String?
        let inputs = try prompts.map { prompt in
            if !raw, !prompt.isContinuation {
                do {
                    let text = try tokenizer.render(messages: [ChatMessage(role: "user", content: prompt.text)])
                    let ids = try tokenizer.encode(text, addSpecialTokens: false, parseSpecial: true)
                    return Input(tokens: ids, category: prompt.category)
                } catch {
                    note = "raw prompt used because: \(error)"
                }
            }
            let ids = try tokenizer.encode(prompt.text, addSpecialTokens: true, parseSpecial: false)
            return Input(tokens: ids, category: prompt.category)
        }
        return Inputs(prompts: inputs, note: note)
    }
}
