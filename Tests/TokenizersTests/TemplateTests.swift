import Foundation
import TensorFiles
import TestSupport
import Testing
import Tokenizers

/// Chat templates against Python's jinja2: fixtures/tokenizers/make_templates.py.
@Suite struct TemplateTests {
    static let moment: Date = {
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = .current
        return calendar.date(
            from: DateComponents(year: 2024, month: 5, day: 6, hour: 17, minute: 8, second: 9))!
    }()

    static func value(_ node: JSONNode) -> TemplateValue {
        switch node.kind {
        case .true, .false: .bool(node.bool ?? false)
        case .number: node.int.map { .int($0) } ?? .double(node.double ?? 0)
        case .string: .string(node.string ?? "")
        case .array: .list(node.elements.map(value))
        case .object: .dictionary(dictionary(node))
        default: .none
        }
    }

    static func dictionary(_ node: JSONNode) -> TemplateDictionary {
        TemplateDictionary(node.members.map { ($0.key, value($0.value)) })
    }

    static func fixture(_ name: String) throws -> JSONNode {
        try JSONDocument(path: TestFiles.fixtures.appendingPathComponent("tokenizers/\(name)").path).root
    }

    @Test("Every construct prints what jinja2 prints, and fails where it fails")
    func constructs() throws {
        let root = try Self.fixture("jinja.json")
        let variables = Self.dictionary(try #require(root["variables"]))
        for item in try #require(root["cases"]).elements {
            let source = item["source"]?.string ?? ""
            let rendered = Result { () throws(TokenizerError) in
                try ChatTemplate(source).render(messages: [], variables: variables, now: Self.moment)
            }
            if let expected = item["expected"]?.string {
                #expect((try? rendered.get()) == expected, "\(source)\n\(rendered)")
            } else {
                #expect(throws: TokenizerError.self, "\(source)") { try rendered.get() }
            }
        }
    }

    @Test(
        "Real templates write conversations as jinja2 does",
        .enabled(if: TestFiles.hasShared, "shared data is absent"))
    func conversations() throws {
        let root = try Self.fixture("chat-templates.json")
        var count = 0
        for item in try #require(root["cases"]).elements {
            let file = item["file"]?.string ?? ""
            let config = try JSONDocument(path: TestFiles.shared(file).path).root
            let template = try ChatTemplate(try #require(config["chat_template"]?.string))
            let name = item["conversation"]?.string ?? ""
            let turns = try #require(root["conversations"]?[name]).elements
            let messages = turns.map { turn in
                var other = Self.dictionary(turn)
                other["role"] = nil
                other["content"] = nil
                return ChatMessage(
                    role: turn["role"]?.string ?? "", content: turn["content"]?.string.map { .string($0) } ?? .none,
                    other: other)
            }
            let variables = Self.dictionary(try #require(item["variables"]))
            let rendered = Result { () throws(TokenizerError) in
                try template.render(
                    messages: messages, addGenerationPrompt: false, bosToken: "<bos>", eosToken: "<eos>",
                    tools: item["tools"]?.bool == true ? root["tools"].map(Self.value) : nil, variables: variables,
                    now: Self.moment)
            }
            if let expected = item["expected"]?.string {
                #expect((try? rendered.get()) == expected, "\(file) \(name) \(rendered)")
            } else {
                #expect(throws: TokenizerError.self, "\(file) \(name)") { try rendered.get() }
            }
            count += 1
        }
        #expect(count >= 50)
    }

    @Test(
        "What is not understood is named, with its line",
        arguments: [
            ("a\n{% include 'x' %}", TokenizerError.templateUnsupported(line: 2, what: "{% include %}")),
            ("{{ 1|frobnicate }}", .templateUnsupported(line: 1, what: "the filter \"frobnicate\"")),
            ("{% if x %}", .templateSyntax(line: 1, reason: "expected elif or else or endif")),
            ("{{ raise_exception('roles must alternate') }}", .templateRaised("roles must alternate")),
            ("\n\n{{ 1 / 0 }}", .templateFailed(line: 3, reason: "division by zero")),
        ])
    func refusals(source: String, error: TokenizerError) {
        #expect(throws: error) { try ChatTemplate(source).render(messages: []) }
    }

    @Test("A template that never ends is stopped")
    func endless() {
        let loops = String(repeating: "{% for a in range(99999) %}", count: 3)
        let ends = String(repeating: "{% endfor %}", count: 3)
        #expect(throws: TokenizerError.self) { try ChatTemplate(loops + "x" + ends).render(messages: []) }
        let recursion = "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}"
        #expect(throws: TokenizerError.self) { try ChatTemplate(recursion).render(messages: []) }
        let nesting = "{{ " + String(repeating: "(", count: 100_000) + "1" + String(repeating: ")", count: 100_000)
        #expect(throws: TokenizerError.self) { try ChatTemplate(nesting + " }}") }
        #expect(throws: TokenizerError.self) {
            try ChatTemplate("{{ " + String(repeating: "-", count: 100_000) + "1 }}")
        }
    }
}
