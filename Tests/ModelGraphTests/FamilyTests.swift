import Foundation
import ModelGraph
import TensorFiles
import TestSupport
import Testing

@Suite struct FamilyTests {
    @Test func everyDocumentIsADescription() {
        let families = Architecture.builtIn.map(\.family)
        #expect(
            families == [
                "llama", "mistral", "qwen2", "qwen3", "gemma2", "gemma3", "phi3", "olmo2", "granite", "smollm3",
            ])
    }

    @Test(
        .enabled(if: TestFiles.hasShared, "shared oracles are absent"),
        arguments: ["llama", "llama3", "mistral", "qwen2", "qwen3", "gemma2", "gemma3", "phi3", "olmo2"])
    func oraclesOpenAndBecomeCanonical(name: String) throws {
        let graph = try ModelGraph.open(TestFiles.shared("oracles/\(name)").path)
        let configuration = graph.configuration
        #expect(configuration.hiddenSize == 256)
        #expect(configuration.vocabularySize == 1024)
        #expect(configuration.rotaryOrder == .halves)
        let canonical = try graph.canonical()
        for block in configuration.layers.indices {
            #expect(canonical[.query, block]?.shape == [8 * configuration.headSize, 256])
            #expect(canonical[.key, block]?.shape == [configuration.keyValueHeadCount * configuration.headSize, 256])
            #expect(canonical[.gate, block]?.shape == [512, 256])
            #expect(canonical[.up, block]?.shape == [512, 256])
        }
        #expect(canonical.tensors.keys.allSatisfy { $0.part.fusedParts == nil })
        #expect(canonical.normOffset == 0)
    }

    @Test(.enabled(if: TestFiles.hasShared, "shared oracles are absent"))
    func configurationsOfTheOraclesAreReadRight() throws {
        func configuration(_ name: String) throws -> ModelConfiguration {
            try ModelGraph.open(TestFiles.shared("oracles/\(name)").path).configuration
        }
        let llama3 = try configuration("llama3")
        #expect(
            llama3.rotaries == [
                .init(
                    base: 500_000, dimension: 32,
                    scaling: .llama3(factor: 8, lowFactor: 1, highFactor: 4, originalContext: 64))
            ])
        #expect(llama3.tiedEmbeddings)
        let qwen3 = try configuration("qwen3")
        #expect(qwen3.headSize == 64)
        #expect(qwen3.queryKeyNorm == .perHead)
        let gemma2 = try configuration("gemma2")
        #expect(gemma2.layers.map(\.slidingWindow) == [16, nil])
        #expect(gemma2.attentionScale == 0.125)
        #expect(gemma2.attentionSoftCap == 50)
        #expect(gemma2.finalSoftCap == 30)
        #expect(gemma2.embeddingScale == 16)
        let gemma3 = try configuration("gemma3")
        #expect(gemma3.layers.map(\.slidingWindow) == [16, 16, 16, 16, 16, nil])
        #expect(gemma3.layers.map(\.rotary) == [1, 1, 1, 1, 1, 0])
        #expect(gemma3.rotaries.map(\.base) == [1_000_000, 10_000])
        let qwen2 = try configuration("qwen2")
        #expect(qwen2.layers.allSatisfy { $0.slidingWindow == nil })
        #expect(qwen2.rotaries[0].base == 1_000_000)
        let olmo2 = try configuration("olmo2")
        #expect(olmo2.queryKeyNorm == .fullWidth)
        #expect(!olmo2.attentionNorm && olmo2.postAttentionNorm)
    }
}
