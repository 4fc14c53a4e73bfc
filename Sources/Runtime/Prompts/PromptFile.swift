public import Foundation

/// One prompt of a prompts file.
public struct Prompt: Hashable, Sendable {
    public var text: String
    public var category: String?
    /// The prompt is text to continue (code to complete), not a message to answer: no chat template is put around it.
    public var isContinuation: Bool

    public init(text: String, category: String? = nil, isContinuation: Bool = false) {
        self.text = text
        self.category = category
        self.isContinuation = isContinuation
    }
}

/// Reads JSON lines of prompts, plain or gzip: `prompt` (HumanEval's too), `turns` (Spec-Bench; the first turn),
/// `question` (GSM8K) or `text` (MBPP), with an optional `category`.
public enum PromptFile {
    public static func read(_ url: URL) throws -> [Prompt] {
        let data = try GzipText.read(url)
        var prompts: [Prompt] = []
        for (number, line) in data.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated()
        {
            guard line.contains(where: { $0 != UInt8(ascii: " ") && $0 != UInt8(ascii: "\r") && $0 != 9 }) else {
                continue
            }
            do {
                prompts.append(try JSONDecoder().decode(Line.self, from: Data(line)).made())
            } catch let problem as Line.Problem {
                throw RuntimeError.promptFile(path: url.path, line: number + 1, problem.text)
            } catch {
                throw RuntimeError.promptFile(
                    path: url.path, line: number + 1, "is not a JSON object whose fields have the expected types")
            }
        }
        guard !prompts.isEmpty else {
            throw RuntimeError.promptFile(path: url.path, line: nil, "holds no prompt")
        }
        return prompts
    }

    private struct Line: Decodable {
        struct Problem: Error { let text: String }

        var prompt: String?
        var turns: [String]?
        var question: String?
        var text: String?
        var category: String?
        var task: TaskIdentifier?

        enum CodingKeys: String, CodingKey {
            case prompt, turns, question, text, category
            case task = "task_id"
        }

        /// HumanEval's is a string, MBPP's a number; only its presence matters.
        struct TaskIdentifier: Decodable { init(from decoder: any Decoder) throws {} }

        func made() throws -> Prompt {
            if let prompt {
                return Prompt(text: prompt, category: category, isContinuation: task != nil)
            }
            if let turn = turns?.first { return Prompt(text: turn, category: category) }
            if let question { return Prompt(text: question, category: category) }
            if let text { return Prompt(text: text, category: category) }
            throw Problem(text: "has none of the fields prompt, turns, question, text")
        }
    }
}
