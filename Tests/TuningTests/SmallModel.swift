import Foundation
import ModelGraph
import TensorFiles

/// Models and grafts with random weights, small enough to differentiate numerically.
enum SmallModel {
    static func configuration(_ change: (inout ModelConfiguration) -> Void = { _ in }) -> ModelConfiguration {
        var configuration = ModelConfiguration(
            family: "test", vocabularySize: 64, hiddenSize: 32, feedForwardSize: 48, headCount: 4,
            keyValueHeadCount: 2, headSize: 8, contextLength: 64, layers: .init(repeating: .init(), count: 2),
            rotaries: [.init(base: 1000, dimension: 8)], attentionScale: 0.4, tiedEmbeddings: true)
        change(&configuration)
        return configuration
    }

    static func graph(_ c: ModelConfiguration, biases: Bool = false, seed: UInt64 = 1) -> ModelGraph {
        var generator = Generator(seed: seed)
        var tensors: [TensorRole: Tensor] = [:]
        func add(_ part: TensorRole.Part, _ block: Int?, _ shape: [Int], mean: Float = 0, deviation: Float) {
            tensors[TensorRole(part, block: block)] = generator.tensor(
                "\(part.rawValue).\(block ?? -1)", shape, mean: mean, deviation: deviation)
        }
        add(.tokenEmbedding, nil, [c.vocabularySize, c.hiddenSize], deviation: 0.5)
        add(.outputNorm, nil, [c.hiddenSize], mean: 1, deviation: 0.2)
        for block in c.layers.indices {
            for part in Graft.linears {
                guard let shape = Graft.shape(of: part, in: c) else { continue }
                add(part, block, [shape.rows, shape.columns], deviation: 1.2 / Float(shape.columns).squareRoot())
            }
            let heads =
                c.queryKeyNorm == .perHead
                ? (c.headSize, c.headSize)
                : (c.headCount * c.headSize, c.keyValueHeadCount * c.headSize)
            let norms: [(TensorRole.Part, Bool, Int)] = [
                (.attentionNorm, c.attentionNorm, c.hiddenSize),
                (.postAttentionNorm, c.postAttentionNorm, c.hiddenSize),
                (.feedForwardNorm, c.feedForwardNorm, c.hiddenSize),
                (.postFeedForwardNorm, c.postFeedForwardNorm, c.hiddenSize),
                (.queryNorm, c.queryKeyNorm != .none, heads.0), (.keyNorm, c.queryKeyNorm != .none, heads.1),
            ]
            for (part, present, size) in norms where present { add(part, block, [size], mean: 1, deviation: 0.2) }
            if biases {
                add(.queryBias, block, [c.headCount * c.headSize], deviation: 0.3)
                add(.keyBias, block, [c.keyValueHeadCount * c.headSize], deviation: 0.3)
                add(.valueBias, block, [c.keyValueHeadCount * c.headSize], deviation: 0.3)
            }
        }
        return ModelGraph(configuration: c, tensors: tensors)
    }

    /// A graft in which nothing is zero.
    static func graft(_ design: Graft.Design, _ c: ModelConfiguration, seed: UInt64 = 7) throws -> Graft {
        var generator = Generator(seed: seed)
        return try Graft(new: design, configuration: c, embeddingDeviation: 0.5).mapTensors { tensor in
            let isNorm = tensor.name.hasSuffix(".norm")
            let isFactor = tensor.name.hasSuffix("lora_b")
            return generator.tensor(
                tensor.name, tensor.shape, mean: isNorm ? 1 : 0,
                deviation: isNorm || isFactor ? 0.2 : 0.8 / Float(tensor.rowLength).squareRoot())
        }
    }

    static func tensor(_ name: String, _ shape: [Int], _ values: [Float]) -> Tensor {
        var bytes: [UInt8] = []
        for value in values {
            for shift in stride(from: UInt32(0), to: 32, by: 8) {
                bytes.append(UInt8(truncatingIfNeeded: value.bitPattern >> shift))
            }
        }
        return Tensor(name: name, shape: shape, type: .f32, source: MemorySource(bytes))!
    }

    struct Generator {
        private var state: UInt64
        init(seed: UInt64) { state = seed }

        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var z = state
            z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
            z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
            return z ^ (z >> 31)
        }

        mutating func normal() -> Float {
            var sum: Float = -6
            for _ in 0..<12 { sum += Float(next() >> 40) * 0x1p-24 }
            return sum
        }

        mutating func tensor(_ name: String, _ shape: [Int], mean: Float = 0, deviation: Float) -> Tensor {
            SmallModel.tensor(
                name, shape, (0..<shape.reduce(1, *)).map { _ in mean + deviation * normal() })
        }
    }
}
