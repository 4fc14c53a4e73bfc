import Foundation
import TensorFiles
import TestSupport
import Testing
import Tokenizers

/// From the Hub's files to GGUF metadata and back.
@Suite(.enabled(if: TestFiles.hasShared, "shared data is absent")) struct GGUFVocabularyTests {
    static func metadata(_ vocabulary: GGUFVocabulary) -> GGUFMetadata {
        var metadata = GGUFMetadata()
        for (key, value) in vocabulary.metadata { metadata[key] = value }
        return metadata
    }

    @Test(
        "Hub to GGUF to Hub: equal ids on random text, equal metadata",
        arguments: [
            ("data/tokenizers/llama3.2", "llama", "llama-bpe"), ("data/tokenizers/olmo2", "olmo2", "dbrx"),
            ("data/tokenizers/gpt2", "gpt2", "gpt-2"), ("data/tokenizers/qwen3", "qwen3", "qwen2"),
            ("data/models/pycode", "llama", "dbrx"), ("oracles/llama3", "llama", "gpt-2"),
            ("data/tokenizers/llama2", "llama", "default"), ("data/tokenizers/mistral-v3", "llama", "default"),
            ("data/models/stories260K", "llama", "default"), ("data/tokenizers/phi-3-mini", "phi3", "default"),
        ])
    func roundTrip(path: String, architecture: String, pre: String) throws {
        let directory = TestFiles.shared(path).path
        let original = try Tokenizer(path: directory)
        let vocabulary = try GGUFVocabulary(
            directory: directory, architecture: architecture, vocabularySize: original.vocabularySize + 5)
        #expect(vocabulary.preTokenizer == pre)
        #expect(vocabulary.tokens.count == original.vocabularySize + 5)
        let padding = "[PAD\(original.vocabularySize)]"
        #expect(vocabulary.tokens[original.vocabularySize] == Array(padding.utf8))
        #expect(vocabulary.kinds?.last == .unused)

        let metadata = Self.metadata(vocabulary)
        let fromGGUF = try Tokenizer(gguf: metadata, file: "test")
        let folder = try TestFiles.temporaryFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        for (name, bytes) in try HubTokenizerFiles(vocabulary).files {
            try Data(bytes).write(to: folder.appendingPathComponent(name))
        }
        let fromHub = try Tokenizer(path: folder.path)
        var random = SeededGenerator(seed: 11)
        // GGUF has no place for composing characters first; the ranges below need none.
        for index in 0..<300 {
            let text = path.hasSuffix("qwen3") ? "Text \(index) of ASCII\n\t it's 1234!" : RandomText.make(&random)
            let ids = try original.encode(text, parseSpecial: false)
            #expect(try fromGGUF.encode(text, parseSpecial: false) == ids, "\(text.debugDescription)")
            #expect(try fromHub.encode(text, parseSpecial: false) == ids, "\(text.debugDescription)")
            #expect(try fromGGUF.decode(ids) == original.decode(ids))
            #expect(try fromHub.decode(ids) == original.decode(ids))
        }
        for key in [\SpecialTokens.bos, \.eos, \.unknown] where fromGGUF.special[keyPath: key] != nil {
            #expect(fromGGUF.special[keyPath: key] == fromHub.special[keyPath: key])
        }

        let again = Self.metadata(
            try GGUFVocabulary(
                directory: folder.path, architecture: architecture, vocabularySize: vocabulary.tokens.count))
        for key in ["model", "pre", "tokens", "token_type", "merges", "scores"] {
            #expect(again["tokenizer.ggml.\(key)"] == metadata["tokenizer.ggml.\(key)"], "\(key)")
        }
    }

    @Test(
        "GGUF to Hub: equal ids",
        arguments: ["deepseek-llm", "gpt-2", "llama-bpe", "llama-spm", "phi-3", "qwen2", "starcoder"])
    func toHub(name: String) throws {
        let path = TestFiles.shared("data/vocabs/ggml-vocab-\(name).gguf").path
        let metadata = try GGUFFile(path: path).metadata
        let original = try Tokenizer(gguf: metadata, file: path)
        let folder = try TestFiles.temporaryFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        for (name, bytes) in try HubTokenizerFiles(GGUFVocabulary(metadata: metadata, file: path)).files {
            try Data(bytes).write(to: folder.appendingPathComponent(name))
        }
        let fromHub = try Tokenizer(path: folder.path)
        #expect(fromHub.special.bos == original.special.bos && fromHub.special.eos == original.special.eos)
        #expect(fromHub.chatTemplate == original.chatTemplate)
        for text in ["Hello, y'all! How are you 😁 ?我想在apple工作1314151天～", "  \n x=1\t3.14", "нещо на Български"] {
            #expect(try fromHub.encode(text, parseSpecial: false) == original.encode(text))
        }
    }

    @Test("An embedding smaller than the vocabulary is refused")
    func tooFewRows() {
        let directory = TestFiles.shared("data/tokenizers/gpt2").path
        #expect(throws: TokenizerError.self) {
            try GGUFVocabulary(directory: directory, architecture: "gpt2", vocabularySize: 50256)
        }
    }
}
