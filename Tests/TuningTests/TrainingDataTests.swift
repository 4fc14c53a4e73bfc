import Foundation
import Kernels
import ModelGraph
import TensorFiles
import TestSupport
import Testing
import Tuning

@Suite("Training text")
struct TrainingDataTests {
    private func withFile<Result>(_ name: String, _ text: String, _ body: (URL) throws -> Result) throws -> Result {
        let folder = try TestFiles.temporaryFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let url = folder.appendingPathComponent(name)
        try Data(text.utf8).write(to: url)
        return try body(url)
    }

    /// One id for each character, 100 in front of a document.
    private func encode(_ text: String, _ start: Bool) -> [Int] {
        (start ? [100] : []) + text.unicodeScalars.map { Int($0.value) }
    }

    @Test("a text file is one document with its opening token [TL-20]")
    func plainText() throws {
        let sequences = try withFile("a.txt", "abc") { try TrainingData.read($0, encode: encode) }
        #expect(sequences == [TrainingSequence(tokens: [100, 97, 98, 99])])
    }

    @Test("lines are ids, prompts with answers, or text [TL-21]")
    func lines() throws {
        let text = """
            {"promptTokens": [1, 2, 3], "answerTokens": [4, 5]}
            {"prompt": "ab", "answer": "c"}

            {"text": "d"}
            """
        let sequences = try withFile("a.jsonl", text) { try TrainingData.read($0, encode: encode) }
        #expect(
            sequences == [
                TrainingSequence(tokens: [1, 2, 3, 4, 5], firstAnchor: 2),
                TrainingSequence(tokens: [100, 97, 98, 99], firstAnchor: 2),
                TrainingSequence(tokens: [100, 100]),
            ])
    }

    @Test("a bad line is named by its number", arguments: ["{", "[1]", "{\"prompt\": \"a\"}", "{\"text\": 3}"])
    func badLine(line: String) throws {
        _ = try withFile("a.jsonl", "{\"text\": \"x\"}\n\(line)\n") { url in
            #expect {
                try TrainingData.read(url, encode: encode)
            } throws: {
                guard case TuningError.dataFile(_, let number, _) = $0 else { return false }
                return number == 2
            }
        }
    }

    @Test("what is stored comes back")
    func roundTrip() throws {
        let sequences = [
            TrainingSequence(tokens: [5, 6, 7, 8], firstAnchor: 1), TrainingSequence(tokens: [9, 10, 11]),
        ]
        try withFile("a.jsonl", "") { url in
            try TrainingData.write(sequences, to: url)
            #expect(try TrainingData.read(url) { _, _ in [] } == sequences)
        }
    }

    @Test("what is held out is never trained on")
    func heldOut() throws {
        let sequences = (0..<40).map { index in TrainingSequence(tokens: (0..<10).map { Int32(index * 10 + $0) }) }
        let text = try TrainingText(sequences, window: 8, heldOut: 5, seed: 1)
        #expect(text.heldOut.count == 5)
        #expect(text.training.count == 35)
        let trained = Set(text.training.flatMap(\.tokens))
        #expect(text.heldOut.allSatisfy { trained.isDisjoint(with: $0.tokens) })

        let long = [TrainingSequence(tokens: (0..<1000).map(Int32.init))]
        let cut = try TrainingText(long, window: 10, heldOut: 5, seed: 1)
        #expect(cut.heldOut.count == 5)
        let kept = Set(cut.training.flatMap(\.tokens))
        #expect(kept.count == 950)
        #expect(cut.heldOut.allSatisfy { kept.isDisjoint(with: $0.tokens) })
    }

    @Test("prompts are cut from the text, the same for the same seed")
    func prompts() throws {
        let documents = [TrainingSequence(tokens: (0..<100).map(Int32.init)), TrainingSequence(tokens: [1, 2])]
        let prompts = try SelfText.prompts(from: documents, count: 50, length: 8, start: 500, seed: 4)
        #expect(prompts.count == 50)
        for prompt in prompts {
            #expect(prompt.count == 8)
            let body = prompt.first == 500 ? Array(prompt.dropFirst()) : prompt
            #expect(zip(body, body.dropFirst()).allSatisfy { $0 + 1 == $1 })
        }
        #expect(prompts.contains { $0.first == 500 } && prompts.contains { $0.first != 500 })
        #expect(try SelfText.prompts(from: documents, count: 50, length: 8, start: 500, seed: 4) == prompts)
        #expect(throws: TuningError.textTooShort(longest: 100, sequences: 2)) {
            try SelfText.prompts(from: documents, count: 1, length: 101, start: nil, seed: 0)
        }
    }

    @Test(
        "the model's own text is what the reference implementation writes",
        .enabled(if: TestFiles.hasShared, "shared oracles are absent"),
        arguments: ["llama", "llama3", "mistral", "qwen2", "qwen3", "gemma2", "gemma3", "phi3", "olmo2"])
    func ownText(family: String) throws {
        let folder = TestFiles.shared("oracles/\(family)")
        let expected = try Checkpoint.open(folder.appendingPathComponent("expected.safetensors").path)
        func ids(_ name: String) throws -> [Int] {
            let tensor = try #require(expected[name])
            return try tensor.floats(rows: 0..<tensor.rowCount).map { Int($0) }
        }
        let prompt = try ids("tokens")
        let greedy = try ids("greedy")
        let graph = try ModelGraph.open(folder.path).canonical()
        // Prompts of several lengths in one batch: the others must not disturb the one that is compared.
        let written = try SelfText(limit: greedy.count).write(
            [prompt, Array(prompt.prefix(20)), Array(prompt.prefix(47))], batchedWith: graph, threads: 2)
        #expect(written.count == 3)
        #expect(written[0].tokens.map(Int.init) == prompt + greedy)
        #expect(written[0].firstAnchor == prompt.count - 1)
        #expect(written[1].tokens.count == 20 + greedy.count)
    }

    /// A deadline that has passed leaves the batch that was begun: text enough to go on, and no more.
    @Test func writingEndsAtTheDeadline() throws {
        let graph = try ModelGraph.open(TestFiles.fixtures.appendingPathComponent("stories260K").path).canonical()
        var writer = SelfText(limit: 2)
        let prompts = (0..<70).map { [1, 10 + $0] }
        #expect(try writer.write(prompts, batchedWith: graph, threads: 1).count == 70)
        writer.deadline = .now
        #expect(try writer.write(prompts, batchedWith: graph, threads: 1).count == 64)
    }
}
