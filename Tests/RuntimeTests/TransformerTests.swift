import Foundation
import Kernels
import ModelGraph
import Quantization
import Runtime
import TensorFiles
import TestSupport
import Testing
import Tokenizers

@Suite struct TransformerTests {
    static func model(_ graph: ModelGraph, precision: ActivationPrecision = .float32) throws -> Transformer {
        try Transformer(graph, precision: precision, pool: try WorkerPool(threads: 2))
    }

    @Test("perplexity of stories260K is that of its data sheet", .enabled(if: TestFiles.hasShared, "no shared data"))
    func perplexity() throws {
        let path = TestFiles.shared("data/models/stories260K").path
        let model = try LanguageModel(path: path, precision: .float32, pool: try WorkerPool(threads: 2))
        let text = try String(contentsOf: TestFiles.shared("data/text/stories.txt"), encoding: .utf8)
        let ids = try model.requireTokenizer().encode(String(text.prefix(60_000))).prefix(10_200)
        #expect(ids.count == 10_200)
        let sequence = try model.sequence(positions: 256, precision: .f32)
        var sum = 0.0
        for start in stride(from: 0, to: ids.count, by: 255) {
            let window = [1] + ids[(ids.startIndex + start)..<min(ids.endIndex, ids.startIndex + start + 255)]
            sequence.truncate(to: 0)
            let logits = try sequence.allLogits(Array(window))
            for position in 0..<window.count - 1 {
                let row = logits[position * 512..<(position + 1) * 512]
                let top = Double(row.max()!)
                let total = row.reduce(0.0) { $0 + exp(Double($1) - top) }
                sum += log(total) + top - Double(row[row.startIndex + window[position + 1]])
            }
        }
        let perplexity = exp(sum / Double(ids.count))
        #expect(abs(perplexity - 4.5931) < 0.00005, "perplexity \(perplexity)")
    }

    @Test("numbers that are none are reported with the block where they arose")
    func notFinite() throws {
        var graph = try TestModels.graph()
        let role = TensorRole(.up, block: 1)
        var values = try graph.tensors[role]!.floats(rows: 0..<512)
        values[700] = .infinity
        graph.tensors[role] = try TestModels.tensor("up", shape: [512, 256], values: values, type: .f32)
        let sequence = try TokenSequence(try Self.model(graph), capacity: 16)
        #expect(throws: RuntimeError.notFinite(block: 1, part: "feed-forward")) { try sequence.append([1, 2, 3]) }
    }

    @Test("a damaged unembedding is reported as such")
    func notFiniteLogits() throws {
        var graph = try TestModels.graph()
        var values = try graph[.output]!.floats(rows: 0..<320)
        values[5 * 256] = .nan
        graph.tensors[TensorRole(.output)] = try TestModels.tensor(
            "W", shape: [320, 256], values: values, type: .f32)
        let sequence = try TokenSequence(try Self.model(graph), capacity: 16)
        try sequence.append([1, 2, 3])
        #expect(throws: RuntimeError.notFinite(block: nil, part: "logits")) {
            try sequence.logits(of: [sequence.lastRow!])
        }
    }

    @Test("what cannot be done is refused before anything is computed")
    func refusals() throws {
        let graph = try TestModels.graph()
        let model = try Self.model(graph)
        #expect(throws: RuntimeError.contextTooLong(needed: 513, limit: 512)) {
            try TokenSequence(model, capacity: 513)
        }
        let sequence = try TokenSequence(model, capacity: 4)
        #expect(throws: RuntimeError.token(320, vocabulary: 320)) { try sequence.append([1, 320]) }
        #expect(throws: RuntimeError.token(-1, vocabulary: 320)) { try sequence.append([-1]) }
        #expect(throws: RuntimeError.contextFull(needed: 5, capacity: 4)) { try sequence.append([1, 2, 3, 4, 5]) }
        #expect(throws: RuntimeError.mask(0, available: 0)) { try sequence.forward([Row(.mask(0), after: nil)]) }
        #expect(throws: RuntimeError.self) { try sequence.forward([Row(.token(1), after: 0)]) }
        try sequence.append([1, 2, 3, 4])
        #expect(throws: RuntimeError.contextFull(needed: 5, capacity: 4)) {
            try sequence.forward([Row(.token(1), after: nil)])
        }
        #expect(sequence.tokens == [1, 2, 3, 4])

        var missing = graph
        missing.tensors[TensorRole(.down, block: 2)] = nil
        #expect(throws: RuntimeError.missingTensor("down of block 2")) { try Self.model(missing) }
        var wrong = graph
        wrong.tensors[TensorRole(.key, block: 0)] = graph[.query, 0]
        #expect(throws: RuntimeError.shape(tensor: "query.0", expected: [128, 256], found: [256, 256])) {
            try Self.model(wrong)
        }
    }

    @Test("a context that the machine cannot hold is refused with its size")
    func memory() throws {
        var configuration = TestModels.configuration
        configuration.contextLength = 1 << 40
        let model = try Self.model(try TestModels.graph(configuration))
        #expect {
            try TokenSequence(model, capacity: 1 << 36, precision: .f32)
        } throws: { error in
            guard case RuntimeError.memory(let needed, let available, _) = error else { return false }
            return needed > available
        }
        #expect(throws: RuntimeError.self) { try TokenSequence(model, capacity: 1 << 39, precision: .f32) }
    }

    @Test("kept rows and truncation leave what a fresh sequence has")
    func keeping() throws {
        let model = try Self.model(try TestModels.graph())
        let branching = try TokenSequence(model, capacity: 32)
        try branching.append([5, 6])
        // 5 6 → {7 → {8, 9 → 10}, 11}
        try branching.forward([
            Row(.token(11), after: nil), Row(.token(7), after: nil), Row(.token(8), after: 1),
            Row(.token(9), after: 1),
            Row(.token(10), after: 3),
        ])
        branching.keep([1, 3, 4])
        #expect(branching.tokens == [5, 6, 7, 9, 10])
        branching.truncate(to: 4)
        try branching.append([12, 13])
        let plain = try TokenSequence(model, capacity: 32)
        try plain.append([5, 6, 7, 9, 12, 13])
        let (a, b) = (try branching.logits(of: [1]), try plain.logits(of: [5]))
        #expect(a.buffer.array(0..<320) == b.buffer.array(0..<320))
    }

    @Test("an observer sees every block and every input of a linear map")
    func observer() throws {
        final class Watcher: ForwardObserver {
            var blocks: [Int?] = []
            var inputs: [[TensorRole.Part]] = []
            var widths: Set<Int> = []
            func hidden(after block: Int?, _ rows: BufferRows) { blocks.append(block) }
            func input(of parts: [TensorRole.Part], block: Int?, _ rows: BufferRows) {
                inputs.append(parts)
                widths.insert(rows.width)
                #expect(rows.count == 3)
            }
        }
        let sequence = try TokenSequence(try Self.model(try TestModels.graph()), capacity: 8)
        let watcher = Watcher()
        try sequence.forward(Row.chain([1, 2, 3]), observer: watcher)
        #expect(watcher.blocks == [nil, 0, 1, 2])
        let block: [[TensorRole.Part]] = [[.query, .key, .value], [.attentionOutput], [.gate, .up], [.down]]
        #expect(watcher.inputs == block + block + block + [[.output]])
        #expect(watcher.widths == [256, 512])
    }

    @Test("a shape without weights of its own runs in a preset's types")
    func randomWeights() throws {
        var configuration = TestModels.configuration
        configuration.tiedEmbeddings = true
        let graph = try RandomWeights.graph(configuration, preset: .q4_k_m)
        #expect(graph[.tokenEmbedding]?.type == .q6_K && graph[.query, 1]?.type == .q4_K)
        let model = try Transformer(graph, pool: try WorkerPool(threads: 2))
        let c = configuration
        let block =
            c.hiddenSize * (2 * c.headCount + 2 * c.keyValueHeadCount) * c.headSize
            + 3 * c.hiddenSize * c.feedForwardSize
        #expect(model.multipliedWeights == c.layers.count * block + c.vocabularySize * c.hiddenSize)
        let sequence = try TokenSequence(model, capacity: 8)
        try sequence.append([1, 2, 3])
        #expect(try sequence.logits(of: [2]).areFinite)
    }
}
