import Kernels
import ModelGraph
import TensorFiles
import Testing
import Tuning

/// Every building block of a model and of a graft, each held to a numerical derivative along a random direction.
@Suite("Gradients of building blocks")
struct BuildingBlockTests {
    struct Case: CustomTestStringConvertible, Sendable {
        var testDescription: String
        var biases = false
        var configuration: @Sendable (inout ModelConfiguration) -> Void = { _ in }
        var graft: @Sendable (inout Graft.Design) -> Void = { _ in }
        var softTargets = 0
        var weights = LossWeights()
    }

    static let cases: [Case] = [
        Case(testDescription: "plain"),
        Case(testDescription: "biases", biases: true),
        Case(testDescription: "GELU", configuration: { $0.activation = .geluTanh }),
        Case(
            testDescription: "post norms",
            configuration: {
                $0.postAttentionNorm = true
                $0.postFeedForwardNorm = true
            }),
        Case(
            testDescription: "post norms alone, query and key norms over the full width",
            configuration: {
                $0.attentionNorm = false
                $0.feedForwardNorm = false
                $0.postAttentionNorm = true
                $0.postFeedForwardNorm = true
                $0.queryKeyNorm = .fullWidth
            }),
        Case(testDescription: "query and key norms over each head", configuration: { $0.queryKeyNorm = .perHead }),
        Case(testDescription: "interleaved rotary", configuration: { $0.rotaryOrder = .interleaved }),
        Case(
            testDescription: "part of a head turned, one layer not at all",
            configuration: {
                $0.rotaries[0].dimension = 4
                $0.layers[1].rotary = nil
            }),
        Case(
            testDescription: "sliding windows, one shorter than a block",
            configuration: {
                $0.layers[0].slidingWindow = 5
                $0.layers[1].slidingWindow = 2
            }),
        Case(testDescription: "attention soft cap", configuration: { $0.attentionSoftCap = 1.5 }),
        Case(
            testDescription: "final soft cap and logit scale",
            configuration: {
                $0.finalSoftCap = 3
                $0.logitScale = 0.7
            }),
        Case(
            testDescription: "multipliers",
            configuration: {
                $0.embeddingScale = 2.5
                $0.residualScale = 0.3
            }),
        Case(
            testDescription: "sampler with RMS norm, residual, no biases; shared mask",
            graft: {
                $0.norm = .rmsNorm
                $0.residual = true
                $0.biases = false
                $0.sharedMask = true
            }),
        Case(testDescription: "some linears only", graft: { $0.linears = [.query, .value, .down] }),
        Case(testDescription: "soft targets", softTargets: 5),
        Case(testDescription: "base loss alone", weights: LossWeights(base: 1, sampler: 0, latent: 0)),
        Case(testDescription: "latent loss alone", weights: LossWeights(base: 0, sampler: 0, latent: 2)),
    ]

    @Test("agree with a numerical derivative", arguments: cases)
    func numerical(of test: Case) throws {
        let configuration = SmallModel.configuration(test.configuration)
        let model = SmallModel.graph(configuration, biases: test.biases)
        var design = Graft.Design(masks: 3, rank: 2, alpha: 3)
        test.graft(&design)
        let graft = try SmallModel.graft(design, configuration)
        let tokens = [5, 17, 3, 60, 22, 9, 41, 41, 2, 33, 8, 50]
        func probe(_ graft: Graft) throws -> PassProbe {
            try PassProbe(
                model: model, graft: graft, tokens: tokens, weights: test.weights, softTargets: test.softTargets)
        }
        let gradient = try probe(graft).gradient.sidecar().tensors
        // One direction for each kind of tensor, so that a wrong one cannot hide behind the others.
        let kinds = ["mask_embedding", "sampler.", "lora_a", "lora_b"]
        for kind in kinds {
            var generator = SmallModel.Generator(seed: 99)
            var directions: [String: [Float]] = [:]
            var expected = 0.0
            let length = Float(gradient.reduce(0) { $0 + ($1.name.contains(kind) ? $1.elementCount : 0) })
                .squareRoot()
            for tensor in gradient where tensor.name.contains(kind) {
                let direction = (0..<tensor.elementCount).map { _ in generator.normal() / length }
                directions[tensor.name] = direction
                expected += zip(direction, try tensor.floats(rows: 0..<tensor.rowCount)).reduce(0) {
                    $0 + Double($1.0) * Double($1.1)
                }
            }
            func total(_ step: Float) throws -> Double {
                let moved = try graft.mapTensors { tensor in
                    guard let direction = directions[tensor.name] else { return tensor }
                    let values = try tensor.floats(rows: 0..<tensor.rowCount)
                    return SmallModel.tensor(
                        tensor.name, tensor.shape, zip(values, direction).map { $0 + step * $1 })
                }
                return try probe(moved).losses.total(test.weights)
            }
            // Fourth order, so that the step can be large against the rounding of float32.
            let h: Float = 1e-2
            let slope =
                (8 * (try total(h) - total(-h)) - (try total(2 * h) - total(-2 * h))) / (12 * Double(h))
            let scale = max(abs(slope), abs(expected), 5e-2)
            #expect(abs(slope - expected) < 5e-3 * scale, "\(kind): gradient \(expected), numerical \(slope)")
        }
    }

    @Test("a base whose weights do not fit gives what a resident one gives")
    func streamedBase() throws {
        let configuration = SmallModel.configuration()
        let model = SmallModel.graph(configuration)
        let graft = try SmallModel.graft(Graft.Design(masks: 3, rank: 2), configuration)
        let tokens = [5, 17, 3, 60, 22, 9, 41, 41, 2, 33, 8, 50]
        let resident = try PassProbe(model: model, graft: graft, tokens: tokens)
        let streamed = try PassProbe(model: model, graft: graft, tokens: tokens, residentBudget: 0)
        #expect(resident.losses == streamed.losses)
        #expect(resident.maskRows == streamed.maskRows)
    }
}
