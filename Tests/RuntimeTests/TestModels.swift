import Foundation
import Kernels
import ModelGraph
import Runtime
import TensorFiles

/// Models that need no files: random weights in any type.
enum TestModels {
    static let configuration = ModelConfiguration(
        family: "test", vocabularySize: 320, hiddenSize: 256, feedForwardSize: 512, headCount: 4,
        keyValueHeadCount: 2, headSize: 64, contextLength: 512,
        layers: [.init(slidingWindow: 24), .init(), .init(rotary: nil)],
        rotaries: [.init(base: 10_000, dimension: 48)], postFeedForwardNorm: true, queryKeyNorm: .perHead,
        activation: .geluTanh, residualScale: 0.9, attentionScale: 0.125, attentionSoftCap: 20, logitScale: 0.5,
        finalSoftCap: 15, tiedEmbeddings: false)

    /// Weights that depend on the seed alone.
    static func graph(_ c: ModelConfiguration = configuration, seed: UInt64 = 1, type: ElementType = .f32) throws
        -> ModelGraph
    {
        var stream = RandomStream(seed: seed)
        var tensors: [TensorRole: Tensor] = [:]
        func add(_ part: TensorRole.Part, _ block: Int?, _ shape: [Int]) throws {
            let count = shape.reduce(1, *)
            let isNorm = shape.count == 1
            let spread = isNorm ? 0.1 : 1.2 / Double(shape.last!).squareRoot()
            let values = (0..<count).map { _ in Float((isNorm ? 1 : 0) + spread * stream.normal()) }
            let role = TensorRole(part, block: block)
            tensors[role] = try tensor(
                "\(part.rawValue).\(block ?? -1)", shape: shape, values: values, type: isNorm ? .f32 : type)
        }
        try add(.tokenEmbedding, nil, [c.vocabularySize, c.hiddenSize])
        try add(.output, nil, [c.vocabularySize, c.hiddenSize])
        try add(.outputNorm, nil, [c.hiddenSize])
        let (queries, keys) = (c.headCount * c.headSize, c.keyValueHeadCount * c.headSize)
        for block in c.layers.indices {
            for norm in [
                TensorRole.Part.attentionNorm, .feedForwardNorm, .postAttentionNorm, .postFeedForwardNorm,
            ] { try add(norm, block, [c.hiddenSize]) }
            for norm in [TensorRole.Part.queryNorm, .keyNorm] { try add(norm, block, [c.headSize]) }
            try add(.query, block, [queries, c.hiddenSize])
            try add(.key, block, [keys, c.hiddenSize])
            try add(.value, block, [keys, c.hiddenSize])
            try add(.queryBias, block, [queries])
            try add(.attentionOutput, block, [c.hiddenSize, queries])
            try add(.gate, block, [c.feedForwardSize, c.hiddenSize])
            try add(.up, block, [c.feedForwardSize, c.hiddenSize])
            try add(.down, block, [c.hiddenSize, c.feedForwardSize])
        }
        return ModelGraph(configuration: c, tensors: tensors)
    }

    static func tensor(_ name: String, shape: [Int], values: [Float], type: ElementType) throws -> Tensor {
        let bytes: [UInt8]
        switch type {
        case .f32: bytes = littleEndian(values.map { $0.bitPattern })
        case .f16: bytes = littleEndian(values.map { Float16($0).bitPattern })
        case .bf16: bytes = littleEndian(values.map { UInt16(($0.bitPattern &+ 0x8000) >> 16) })
        default:
            let method: BlockCodec.Method = BlockCodec.canEncode(type, .nearest) ? .nearest : .search
            bytes = try BlockCodec.encode(type, method, values, rowLength: shape.last!)
        }
        return Tensor(name: name, shape: shape, type: type, source: MemorySource(bytes))!
    }

    private static func littleEndian(_ values: [some FixedWidthInteger]) -> [UInt8] {
        values.flatMap { value in
            stride(from: 0, to: value.bitWidth, by: 8).map { UInt8(truncatingIfNeeded: value >> $0) }
        }
    }

    /// Types that have products and can be written here.
    static let types: [ElementType] = [
        .f32, .f16, .bf16, .q8_0, .q4_0, .q4_1, .q5_0, .q5_1, .iq4_NL, .iq4_XS, .q2_K, .q3_K, .q4_K, .q5_K, .q6_K,
        .mxfp4,
    ].filter {
        [.f32, .f16, .bf16].contains($0) || BlockCodec.canEncode($0, .nearest) || BlockCodec.canEncode($0, .search)
    }
}

/// Masks and low-rank updates with random weights.
final class RandomAdaptation: MaskAdaptation {
    let maskCount: Int
    private let embeddings: [[Float]]
    private let updates: [TensorRole: LowRankUpdate]

    init(_ c: ModelConfiguration, masks: Int = 4, rank: Int = 32, seed: UInt64 = 9, pool: WorkerPool) throws {
        var stream = RandomStream(seed: seed)
        maskCount = masks
        embeddings = (0..<masks).map { _ in (0..<c.hiddenSize).map { _ in Float(stream.normal()) } }
        var updates: [TensorRole: LowRankUpdate] = [:]
        let (queries, keys) = (c.headCount * c.headSize, c.keyValueHeadCount * c.headSize)
        for block in c.layers.indices {
            let maps: [(TensorRole.Part, Int, Int)] = [
                (.query, queries, c.hiddenSize), (.key, keys, c.hiddenSize), (.value, keys, c.hiddenSize),
                (.attentionOutput, c.hiddenSize, queries), (.gate, c.feedForwardSize, c.hiddenSize),
                (.down, c.hiddenSize, c.feedForwardSize),
            ]
            for (part, outputs, inputs) in maps {
                func matrix(_ rows: Int, _ columns: Int) throws -> WeightMatrix {
                    let values = (0..<rows * columns).map { _ in Float(stream.normal() / Double(columns).squareRoot())
                    }
                    return try WeightMatrix(
                        TestModels.tensor("lora", shape: [rows, columns], values: values, type: .f32), pool: pool)
                }
                updates[TensorRole(part, block: block)] = LowRankUpdate(
                    a: try matrix(rank, inputs), b: try matrix(outputs, rank), scale: 0.5)
            }
        }
        self.updates = updates
    }

    func embed(mask index: Int, into buffer: FloatBuffer, at offset: Int) {
        buffer.write(embeddings[index], at: offset)
    }

    func update(_ part: TensorRole.Part, block: Int) -> LowRankUpdate? { updates[TensorRole(part, block: block)] }
}
