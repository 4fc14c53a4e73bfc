public import Foundation

/// One turn of a conversation.
public struct ChatMessage: Sendable {
    public var role: String
    public var content: TemplateValue
    /// Whatever else a template may ask for: tool_calls, name, reasoning_content, ….
    public var other: TemplateDictionary

    public init(role: String, content: String) {
        self.init(role: role, content: .string(content))
    }

    public init(role: String, content: TemplateValue, other: TemplateDictionary = TemplateDictionary()) {
        self.role = role
        self.content = content
        self.other = other
    }

    var value: TemplateValue {
        var members = TemplateDictionary([("role", .string(role)), ("content", content)])
        for (key, value) in other.members { members[key] = value }
        return .dictionary(members)
    }
}

/// A model's chat template: how its turns are written as one text. Jinja, as far as templates on the Hub use it:
/// formats/tokenizers.md, part 4.
public struct ChatTemplate: Sendable {
    public let source: String
    private let nodes: [TemplateNode]

    /// Throws `TokenizerError.templateSyntax`, or `.templateUnsupported` with what it is that is not understood.
    public init(_ source: String) throws(TokenizerError) {
        self.source = source
        nodes = try TemplateParser.nodes(of: source)
    }

    /// The text of a conversation, special tokens written out: encode it with `parseSpecial: true` and without adding
    /// special tokens.
    ///
    /// - Parameters:
    ///   - addGenerationPrompt: Ends with the beginning of the assistant's turn.
    ///   - variables: More names for the template: `documents`, `enable_thinking`, ….
    ///   - now: What `strftime_now` tells.
    public func render(
        messages: [ChatMessage], addGenerationPrompt: Bool = true, bosToken: String? = nil, eosToken: String? = nil,
        tools: TemplateValue? = nil, variables: TemplateDictionary = TemplateDictionary(), now: Date = Date()
    ) throws(TokenizerError) -> String {
        let scope = TemplateScope(parent: nil)
        scope["messages"] = .list(messages.map(\.value))
        scope["add_generation_prompt"] = .bool(addGenerationPrompt)
        // As in the reference: absent tools are none, absent tokens undefined.
        scope["tools"] = tools ?? TemplateValue.none
        scope["documents"] = TemplateValue.none
        if let bosToken { scope["bos_token"] = .string(bosToken) }
        if let eosToken { scope["eos_token"] = .string(eosToken) }
        for (key, value) in variables.members { scope[key] = value }
        scope["strftime_now"] = TemplateFunctions.clock(now)
        var interpreter = TemplateInterpreter()
        _ = try interpreter.run(nodes, scope)
        return String(decoding: interpreter.output, as: UTF8.self)
    }
}

extension Tokenizer {
    /// The text of a conversation by the model's own template; throws why not when it has none or cannot follow it.
    public func render(
        messages: [ChatMessage], addGenerationPrompt: Bool = true, tools: TemplateValue? = nil,
        variables: TemplateDictionary = TemplateDictionary()
    ) throws(TokenizerError) -> String {
        guard let chatTemplate else { throw .noChatTemplate }
        func text(_ id: Int?) -> String? {
            id.flatMap { tokenText($0) }.map { String(decoding: $0, as: UTF8.self) }
        }
        return try ChatTemplate(chatTemplate).render(
            messages: messages, addGenerationPrompt: addGenerationPrompt, bosToken: text(special.bos),
            eosToken: text(special.eos), tools: tools, variables: variables)
    }
}
