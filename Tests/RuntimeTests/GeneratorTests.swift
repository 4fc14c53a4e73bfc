import Foundation
import Kernels
import ModelGraph
import Runtime
import TensorFiles
import TestSupport
import Testing
import Tokenizers

@Suite struct GeneratorTests {
    @Test("stop strings end the text where they begin, and nothing of them is shown before")
    func stops() {
        func run(_ stops: [String], _ pieces: [String]) -> (text: String, stopped: Bool) {
            var watch = StopStrings(stops)
            var shown: [UInt8] = []
            for piece in pieces { shown += watch.release(Array(piece.utf8)) }
            shown += watch.finish()
            return (String(decoding: shown, as: UTF8.self), watch.stopped)
        }
        #expect(run(["END"], ["ab", "cE", "N", "Dxx"]) == ("abc", true))
        #expect(run(["END"], ["ab", "E", "N", "Exx"]) == ("abENExx", false))
        #expect(run(["\n\n"], ["a\n", "b\n", "\nc"]) == ("a\nb", true))
        #expect(run(["bc", "abcd"], ["ab", "cd"]) == ("", true))
        #expect(run(["aab"], ["aa", "ab"]) == ("a", true))
        #expect(run([""], ["ab"]) == ("ab", false))
        #expect(run([], ["ab"]) == ("ab", false))

        var watch = StopStrings(["stop"])
        #expect(watch.release(Array("a st".utf8)) == Array("a ".utf8))
        #expect(watch.release(Array("ar".utf8)) == Array("star".utf8))
    }

    /// Gives a fixed list of tokens, several a step.
    final class Script: TokenDecoder {
        let name = "script"
        var statistics = DecodingStatistics()
        private var steps: [[Int]]
        init(_ steps: [[Int]]) { self.steps = steps }
        func start(prompt: [Int]) throws {}
        func step(limit: Int) throws -> [Int] {
            statistics.steps += 1
            return Array(steps.removeFirst().prefix(limit))
        }
    }

    @Test("a text ends at its limit, an end token, or the context's end")
    func endings() throws {
        let generator = Generator(limit: 5, endTokens: [9])
        func run(_ steps: [[Int]], capacity: Int = 100) throws -> (tokens: [Int], ending: Generation.Ending) {
            let result = try generator.run(Script(steps), prompt: [1, 2], capacity: capacity)
            return (result.tokens, result.ending)
        }
        #expect(try run([[3, 4], [5, 6], [7, 8]]) == ([3, 4, 5, 6, 7], .length))
        #expect(try run([[3, 4], [9, 6]]) == ([3, 4, 9], .endToken))
        #expect(try run([[3, 4], [5, 6]], capacity: 4) == ([3, 4, 5], .context))
        #expect(throws: RuntimeError.contextFull(needed: 2, capacity: 1)) { try run([], capacity: 1) }
        #expect(throws: RuntimeError.self) { try generator.run(Script([]), prompt: [], capacity: 9) }
    }

    @Test("text comes out as it is decoded whole", .enabled(if: TestFiles.hasShared, "no shared data"))
    func streaming() throws {
        for name in ["models/pycode", "models/stories260K"] {
            let model = try LanguageModel(
                path: TestFiles.shared("data/\(name)").path, pool: try WorkerPool(threads: 2))
            let tokenizer = try model.requireTokenizer()
            let prompt = try tokenizer.encode("Once upon a time", addSpecialTokens: true)
            let text = "naïve 日本語 😀 = { }\n\n\tif x:  # end — ok"
            let tokens = try tokenizer.encode(text)
            var shown = ""
            let result = try Generator(limit: 999, tokenizer: tokenizer).run(
                Script(tokens.map { [$0] } + [[2]]), prompt: prompt, capacity: prompt.count + tokens.count - 1
            ) { shown += $0 }
            let whole = try tokenizer.decode(prompt + tokens, skipSpecialTokens: true)
            let before = try tokenizer.decode(prompt, skipSpecialTokens: true)
            #expect(shown == result.text)
            #expect(before + result.text == whole, "\(name)")
        }
    }

    @Test("plain decoding gives the tokens of step by step greedy choice")
    func plain() throws {
        let pool = try WorkerPool(threads: 2)
        let model = try Transformer(try TestModels.graph(), pool: pool)
        let decoder = PlainDecoder(try TokenSequence(model, capacity: 64))
        let result = try Generator(limit: 20).run(decoder, prompt: [5, 6, 7], capacity: 64)
        let sequence = try TokenSequence(model, capacity: 64)
        try sequence.append([5, 6, 7])
        var expected = [try sequence.logits(of: [2]).largest(0)]
        while expected.count < 20 {
            try sequence.append([expected[expected.count - 1]])
            expected.append(try sequence.logits(of: [0]).largest(0))
        }
        #expect(result.tokens == expected)
        #expect(result.statistics.steps == 20 && result.statistics.tokens == 20)
        // A second prompt starts anew.
        #expect(try Generator(limit: 20).run(decoder, prompt: [5, 6, 7], capacity: 64).tokens == expected)
    }

    @Test("prompts of every known kind are read, plain and gzip")
    func prompts() throws {
        let folder = try TestFiles.temporaryFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let file = folder.appendingPathComponent("p.jsonl")
        try """
        {"prompt": "a", "category": "c"}

        {"turns": ["b", "x"], "category": "writing", "question_id": 81}
        {"question": "q", "answer": "z"}
        {"text": "t", "code": "y", "task_id": 4}
        {"task_id": "HumanEval/0", "prompt": "def f():\\n"}
        """.write(to: file, atomically: true, encoding: .utf8)
        #expect(
            try PromptFile.read(file) == [
                Prompt(text: "a", category: "c"), Prompt(text: "b", category: "writing"), Prompt(text: "q"),
                Prompt(text: "t"), Prompt(text: "def f():\n", isContinuation: true),
            ])
        for (bad, line) in [
            ("{\"category\": \"x\"}", 1), ("{\"prompt\": \"a\"}\nnot json", 2), ("{\"prompt\": 3}", 1),
        ] {
            try bad.write(to: file, atomically: true, encoding: .utf8)
            #expect {
                try PromptFile.read(file)
            } throws: { error in
                guard case RuntimeError.promptFile(_, line, _) = error else { return false }
                return true
            }
        }
        try "\n".write(to: file, atomically: true, encoding: .utf8)
        #expect(throws: RuntimeError.self) { try PromptFile.read(file) }
        #expect(throws: RuntimeError.self) { try PromptFile.read(folder.appendingPathComponent("none")) }
    }

    @Test("the shared prompt sets are read", .enabled(if: TestFiles.hasShared, "no shared data"))
    func sharedPrompts() throws {
        func count(_ name: String) throws -> Int {
            try PromptFile.read(TestFiles.shared("data/prompts/\(name)")).count
        }
        #expect(try count("HumanEval.jsonl.gz") == 164)
        #expect(try count("gsm8k-test.jsonl") == 1319)
        #expect(try count("mbpp.jsonl") == 974)
        #expect(try count("spec-bench.jsonl") == 480)
        let folder = try TestFiles.temporaryFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        // A gzip file that was cut off.
        let whole = try Data(contentsOf: TestFiles.shared("data/prompts/HumanEval.jsonl.gz"))
        let cut = folder.appendingPathComponent("cut.jsonl.gz")
        try whole.prefix(whole.count / 2).write(to: cut)
        #expect(throws: RuntimeError.self) { try PromptFile.read(cut) }
    }

    @Test("token files hold one list or several")
    func tokenFiles() throws {
        let folder = try TestFiles.temporaryFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = folder.appendingPathComponent("t.json").path
        func read(_ text: String) throws -> [[Int]] {
            try text.write(toFile: path, atomically: true, encoding: .utf8)
            return try TokenFile.read(path)
        }
        #expect(try read("[1, 2, 3]") == [[1, 2, 3]])
        #expect(try read("[[1], [2, 3]]") == [[1], [2, 3]])
        for bad in ["[]", "{}", "[[1], 2]", "[1.5]", "[\"a\"]", "[[]]", "3", "[1"] {
            #expect(throws: (any Error).self, "\(bad)") { try read(bad) }
        }
    }
}
