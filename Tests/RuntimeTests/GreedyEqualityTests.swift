import Foundation
import Kernels
import ModelGraph
import Runtime
import TensorFiles
import TestSupport
import Testing

/// Greedy text of every decoder is plain decoding's, token for token, on real transformers of every weight type with
/// every cache type. Grafts are random, so that nearly every draft of a mask is wrong; drafts from the text are
/// right where a model's greedy text repeats itself.
///
/// `FORETOKEN_EQUALITY_TOKENS` sets how many tokens each class (decoder and weight type) has; masks 1 … 8 and cache
/// types take turns within a class.
@Suite(.serialized, .enabled(if: TestFiles.hasShared, "the shared oracles are absent"))
struct GreedyEqualityTests {
    static let tokensPerClass =
        ProcessInfo.processInfo.environment["FORETOKEN_EQUALITY_TOKENS"].flatMap { Int($0) } ?? 150

    static let types: [ElementType] = [
        .f32, .f16, .bf16, .q8_0, .q4_0, .q4_1, .q5_0, .q5_1, .q2_K, .q3_K, .q4_K, .q5_K, .q6_K, .iq4_NL, .iq4_XS,
        .mxfp4,
    ]

    /// The graph with every matrix in a type.
    static func recoded(_ graph: ModelGraph, _ type: ElementType) throws -> ModelGraph {
        var graph = graph
        for (role, tensor) in graph.tensors where tensor.shape.count == 2 && tensor.type != type {
            let values = try tensor.floats(rows: 0..<tensor.rowCount)
            let method: BlockCodec.Method = BlockCodec.canEncode(type, .nearest) ? .nearest : .search
            let bytes = try BlockCodec.encode(type, method, values, rowLength: tensor.rowLength)
            graph.tensors[role] = Tensor(
                name: tensor.name, shape: tensor.shape, type: type, source: MemorySource(bytes))
        }
        return graph
    }

    /// A graft with random factors, large enough to turn the masks' hidden rows around.
    static func randomGraft(_ configuration: ModelConfiguration, masks: Int, seed: UInt64) throws -> Graft {
        let graft = try Graft(
            new: .init(masks: masks, rank: 4, seed: seed), configuration: configuration, embeddingDeviation: 1)
        var stream = RandomStream(seed: seed)
        return try graft.mapTensors { tensor in
            guard tensor.name.hasSuffix("lora_b") else { return tensor }
            var bytes: [UInt8] = []
            for _ in 0..<tensor.elementCount {
                let bits = Float(stream.normal() * 0.3).bitPattern
                bytes += (0..<4).map { UInt8(truncatingIfNeeded: bits >> (8 * UInt32($0))) }
            }
            return try #require(
                Tensor(name: tensor.name, shape: tensor.shape, type: .f32, source: MemorySource(bytes)))
        }
    }

    struct Setting: Sendable, CustomStringConvertible {
        var layout: MultiTokenDecoder.Layout
        var lookup: Int
        var description: String { lookup > 0 ? "\(layout.rawValue) with lookup" : layout.rawValue }
    }

    static let settings = MultiTokenDecoder.Layout.allCases.flatMap { layout in
        [Setting(layout: layout, lookup: 0), Setting(layout: layout, lookup: 5)]
    }

    /// Costs that make the planner try layouts of all sizes.
    static let costs = StepCosts(
        layers: .init([(1, 1e-4), (64, 1.2e-4)]), gated: .init([(1, 0)]), verification: .init([(1, 0)]),
        drafting: .init([(1, 0)]))

    private func check(_ graph: ModelGraph, _ name: String) throws {
        let configuration = graph.configuration
        let pool = try WorkerPool(threads: 2)
        let model = try Transformer(graph, pool: pool)
        let graft = try LoadedGraft(
            Self.randomGraft(configuration, masks: 8, seed: 11), configuration: configuration, pool: pool)
        let length = min(100, Self.tokensPerClass / 3)
        let capacity = length + 16
        var random = RandomStream(seed: 5)
        var counts = DraftCounts()
        var compared = 0
        for precision in KeyValueStore.Precision.allCases {
            let plain = PlainDecoder(try TokenSequence(model, capacity: capacity, precision: precision))
            let rounds = max(1, (Self.tokensPerClass + 3 * length - 1) / (3 * length))
            for round in 0..<rounds {
                let prompt = (0..<(4 + round % 9)).map { _ in
                    Int(random.next() % UInt64(configuration.vocabularySize))
                }
                var expected: [Int] = []
                try plain.start(prompt: prompt)
                while expected.count < length { expected += try plain.step(limit: length - expected.count) }
                for (index, setting) in Self.settings.enumerated() {
                    let masks = (round + index) % 8 + 1
                    let sequence = try TokenSequence(
                        model, capacity: capacity, precision: precision, adaptation: graft)
                    let decoder = try MultiTokenDecoder(
                        sequence, graft: graft,
                        options: .init(
                            layout: setting.layout, masks: masks, shortlist: round % 2 == 0 ? 32 : 0,
                            lookup: setting.lookup), costs: Self.costs)
                    try decoder.start(prompt: prompt)
                    var text: [Int] = []
                    while text.count < length { text += try decoder.step(limit: length - text.count) }
                    #expect(text == expected, "\(name) \(precision) \(setting) k=\(masks) prompt \(prompt)")
                    #expect(sequence.tokens == prompt + expected.dropLast())
                    counts.add(decoder.draftCounts)
                    compared += text.count
                }
            }
        }
        // Wrong drafts must have been fed, or equality would be no news.
        #expect(counts.speculated - counts.accepted > 50, "\(counts)")
        print("NOTE \(name): \(compared) tokens equal, \(counts.accepted) of \(counts.speculated) drafts accepted")
    }

    @Test("every weight type", arguments: types)
    func weightType(_ type: ElementType) throws {
        try check(Self.recoded(Oracles.graph("llama"), type), type.rawValue)
    }

    @Test("windows, soft caps, norms and biases", arguments: ["gemma2", "gemma3", "qwen2", "qwen3", "olmo2", "phi3"])
    func family(_ family: String) throws { try check(Oracles.graph(family), family) }
}
