import Foundation
import TensorFiles
import TestSupport
import Testing

@Suite struct CheckpointTests {
    @Test(.enabled(if: TestFiles.hasShared, "shared models are absent")) func opensAHubFolder() throws {
        let checkpoint = try Checkpoint.open(TestFiles.shared("data/models/stories260K").path)
        #expect(checkpoint.format == .safetensors)
        #expect(checkpoint["model.embed_tokens.weight"]?.shape == [512, 64])
        let configuration = try checkpoint.sideDocument("config.json")
        #expect(configuration?.root["vocab_size"]?.int == 512)
        #expect(try checkpoint.sideFile("absent.json") == nil)
    }

    @Test(.enabled(if: TestFiles.hasShared, "shared vocabularies are absent"), arguments: ["llama-bpe", "aquila"])
    func opensAVocabulary(name: String) throws {
        let path = TestFiles.shared("data/vocabs/ggml-vocab-\(name).gguf").path
        let checkpoint = try Checkpoint.open(path)
        #expect(checkpoint.tensors.isEmpty)
        let tokens = try #require(checkpoint.gguf?["tokenizer.ggml.tokens"]?.array)
        #expect(tokens.elementKind == .string && tokens.count == tokens.strings?.count)
        #expect(tokens.strings?[65] != "")
    }

    @Test(.enabled(if: TestFiles.hasShared, "shared tokenizers are absent"))
    func readsALargeTokenizer() throws {
        let document = try JSONDocument(path: TestFiles.shared("data/tokenizers/llama3.2/tokenizer.json").path)
        let vocabulary = try #require(document.root[path: ["model", "vocab"]])
        var count = 0
        var sum = 0
        for member in vocabulary.members {
            count += 1
            sum += member.value.int ?? -1
        }
        #expect(count == 128_000)
        #expect(sum == (0..<128_000).reduce(0, +))
        #expect(vocabulary["Ġthe"]?.int == 279)
    }
}
