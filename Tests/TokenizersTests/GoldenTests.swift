import Foundation
import TensorFiles
import TestSupport
import Testing
import Tokenizers

/// Ids of the reference libraries, and of llama.cpp, for the same texts.
@Suite(.enabled(if: TestFiles.hasShared, "shared data is absent")) struct GoldenTests {
    @Test(
        "Golden encodings: every id equal",
        arguments: [
            "llama2", "llama3.2", "qwen3", "gpt2", "phi-3-mini", "olmo2", "mistral-v3", "../models/stories260K",
        ])
    func golden(name: String) throws {
        let folder = TestFiles.shared("data/tokenizers")
        let root = try JSONDocument(path: folder.appendingPathComponent("golden-encodings.json").path).root
        let tokenizer = try Tokenizer(path: folder.path + "/" + name)
        let strings = try #require(root["strings"]).elements.compactMap(\.string)
        let expected = try #require(root["ids"]?[name]).elements.map { $0.elements.compactMap(\.int) }
        #expect(strings.count == 25 && expected.count == 25)
        for (text, ids) in zip(strings, expected) {
            #expect(try tokenizer.encode(text) == ids, "\(text.debugDescription)")
        }
    }

    @Test(
        "llama.cpp's vocabulary tests: every id equal",
        arguments: ["deepseek-llm", "gpt-2", "llama-bpe", "llama-spm", "phi-3", "qwen2", "starcoder"])
    func vocabularies(name: String) throws {
        let base = TestFiles.shared("data/vocabs/ggml-vocab-\(name).gguf").path
        let tokenizer = try Tokenizer(path: base)
        let texts = try String(contentsOfFile: base + ".inp", encoding: .utf8)
            .components(separatedBy: "\n__ggml_vocab_test__\n")
        let lines = try String(contentsOfFile: base + ".out", encoding: .utf8).components(separatedBy: "\n")
        #expect(texts.count == 47)
        for (text, line) in zip(texts, lines) {
            let ids = line.split(separator: " ").compactMap { Int($0) }
            #expect(try tokenizer.encode(text) == ids, "\(text.debugDescription)")
        }
    }

    @Test("A GGUF of version 2 is read")
    func versionTwo() throws {
        let tokenizer = try Tokenizer(path: TestFiles.shared("data/vocabs/ggml-vocab-aquila.gguf").path)
        #expect(tokenizer.vocabularySize == 100008)
        #expect(try tokenizer.decode(tokenizer.encode("a Hello")) == "a Hello")
    }

    @Test("TK-05: merges whose sides cannot be told apart are refused")
    func ambiguousMerges() {
        let path = TestFiles.shared("data/tokenizers/rejected-merges-with-spaces.json").path
        #expect(throws: TokenizerError.ambiguousMerge(file: path, index: 18917, text: "   ")) {
            try Tokenizer(path: path)
        }
    }

    @Test("Byte-level: decoding gives the text back", arguments: ["llama3.2", "gpt2", "olmo2", "../models/pycode"])
    func roundTrip(name: String) throws {
        let tokenizer = try Tokenizer(path: TestFiles.shared("data/tokenizers").path + "/" + name)
        var random = SeededGenerator(seed: 7)
        for _ in 0..<400 {
            let text = RandomText.make(&random)
            let ids = try tokenizer.encode(text)
            #expect(try tokenizer.decode(ids).unicodeScalars.elementsEqual(text.unicodeScalars))
            #expect(try stream(ids, tokenizer) == text)
        }
    }

    @Test(
        "Streaming gives whole characters only, and all of decode", arguments: ["llama2", "phi-3-mini", "mistral-v3"])
    func streaming(name: String) throws {
        let tokenizer = try Tokenizer(path: TestFiles.shared("data/tokenizers").path + "/" + name)
        var random = SeededGenerator(seed: 8)
        for _ in 0..<200 {
            let ids = try tokenizer.encode(RandomText.make(&random))
            #expect(try stream(ids, tokenizer).unicodeScalars.elementsEqual(tokenizer.decode(ids).unicodeScalars))
        }
        // Each byte of a character by itself: nothing until the last.
        let bytes = try tokenizer.encode("\u{1F9FF}")
        var decoder = StreamingDecoder(tokenizer)
        var pieces: [String] = []
        for id in bytes { pieces.append(try decoder.append(id)) }
        #expect(pieces.joined() == "\u{1F9FF}")
        #expect(pieces.filter { !$0.isEmpty }.count == 1)
    }

    private func stream(_ ids: [Int], _ tokenizer: Tokenizer) throws -> String {
        var decoder = StreamingDecoder(tokenizer)
        var text = ""
        for id in ids {
            let piece = try decoder.append(id)
            #expect(!piece.unicodeScalars.contains("\u{FFFD}"))
            text += piece
        }
        return text + decoder.finish()
    }

    @Test("One encoding is the same on any thread, whatever went before")
    func threads() throws {
        let tokenizer = try Tokenizer(path: TestFiles.shared("data/tokenizers/llama3.2").path)
        var random = SeededGenerator(seed: 9)
        let texts = (0..<200).map { _ in RandomText.make(&random) }
        let alone = try texts.map { text in try tokenizer.encode(text) }
        DispatchQueue.concurrentPerform(iterations: 4) { worker in
            for (text, ids) in zip(texts, alone).shuffled() {
                let again = try? tokenizer.encode(text)
                #expect(again == ids, "worker \(worker)")
            }
        }
    }

    @Test("A megabyte of one character comes to an end")
    func monotony() throws {
        let tokenizer = try Tokenizer(path: TestFiles.shared("data/tokenizers/llama2").path)
        for character in ["a", " ", "\n", "😀"] {
            let text = String(repeating: character, count: 1_000_000)
            #expect(try tokenizer.decode(tokenizer.encode(text)) == text)
        }
    }

    @Test("Special ids, flags and where generation ends")
    func specialTokens() throws {
        let llama = try Tokenizer(path: TestFiles.shared("data/tokenizers/llama3.2").path)
        #expect(llama.special.bos == 128000 && llama.special.eos == 128001)
        #expect(llama.special.endOfGeneration.isSuperset(of: [128001, 128008, 128009]))
        #expect(llama.special.eot == 128009)
        let stories = try Tokenizer(path: TestFiles.shared("data/models/stories260K").path)
        #expect(stories.tokensBefore == [1] && stories.special.eos == 2)
        #expect(try stories.encode("a", addSpecialTokens: true).first == 1)
        #expect(try stories.encode("<s>", parseSpecial: true) == [1])
        let qwen = try Tokenizer(path: TestFiles.shared("data/tokenizers/qwen3").path)
        #expect(try qwen.encode("<|im_end|>") == [151645])
        #expect(try qwen.encode("<|im_end|>", parseSpecial: false).count > 1)
        #expect(qwen.id(of: "<|im_end|>") == 151645 && qwen.id(of: "Ġthe") == 279)
        #expect(qwen.tokenText(279) == Array("Ġthe".utf8))
    }
}
