import Kernels
public import ModelGraph
public import Quantization
public import TensorFiles

/// A model of a given shape without weights of its own: what would it do on this machine?
public enum RandomWeights {
    /// Distinct rows of a matrix; they repeat, which no kernel notices.
    static let distinctRows = 64

    /// - Parameter type: the type of a role's tensor of a shape, whose last dimension must be whole blocks of it.
    public static func graph(
        _ configuration: ModelConfiguration, type: (TensorRole, [Int]) -> ElementType
    ) throws -> ModelGraph {
        var tensors: [TensorRole: Tensor] = [:]
        var sources: [SourceKey: RepeatedRows] = [:]
        var stream = RandomStream(seed: 1)
        for (role, shape) in shapes(configuration) {
            let isMatrix = shape.count > 1
            let length = shape[shape.count - 1]
            let chosen = isMatrix ? type(role, shape) : .f32
            let key = SourceKey(type: chosen, length: length, isMatrix: isMatrix)
            let source = try sources[key] ?? RepeatedRows(key, stream: &stream)
            sources[key] = source
            guard let tensor = Tensor(name: role.part.rawValue, shape: shape, type: chosen, source: source) else {
                throw RuntimeError.unsupported("rows of \(length) elements are no whole blocks of \(chosen.rawValue)")
            }
            tensors[role] = tensor
        }
        return ModelGraph(configuration: configuration, tensors: tensors)
    }

    /// Types as a preset of the quantizer mixes them.
    public static func graph(_ configuration: ModelConfiguration, preset: Preset) throws -> ModelGraph {
        func name(_ role: TensorRole) -> String { "\(role.part.rawValue) \(role.block ?? -1)" }
        let subjects = shapes(configuration).map { role, shape in
            QuantizationSubject(name: name(role), role: role, shape: shape, sourceType: .f16)
        }
        let plan = TypePlan(preset: preset, subjects, QuantizationContext(configuration, hasImportance: false))
        let types = Dictionary(uniqueKeysWithValues: plan.entries.map { ($0.subject.name, $0.type) })
        return try graph(configuration) { role, _ in types[name(role)] ?? .f16 }
    }

    /// Every tensor of a canonical graph of the configuration.
    static func shapes(_ c: ModelConfiguration) -> [(role: TensorRole, shape: [Int])] {
        var list: [(TensorRole, [Int])] = [
            (TensorRole(.tokenEmbedding), [c.vocabularySize, c.hiddenSize]),
            (TensorRole(.outputNorm), [c.hiddenSize]),
        ]
        if !c.tiedEmbeddings { list.append((TensorRole(.output), [c.vocabularySize, c.hiddenSize])) }
        let (queries, keys) = (c.headCount * c.headSize, c.keyValueHeadCount * c.headSize)
        let perHead = c.queryKeyNorm == .perHead
        for block in c.layers.indices {
            var parts: [(TensorRole.Part, [Int])] = [
                (.query, [queries, c.hiddenSize]), (.key, [keys, c.hiddenSize]), (.value, [keys, c.hiddenSize]),
                (.attentionOutput, [c.hiddenSize, queries]), (.gate, [c.feedForwardSize, c.hiddenSize]),
                (.up, [c.feedForwardSize, c.hiddenSize]), (.down, [c.hiddenSize, c.feedForwardSize]),
            ]
            for norm in [
                TensorRole.Part.attentionNorm, .postAttentionNorm, .feedForwardNorm, .postFeedForwardNorm,
            ] { parts.append((norm, [c.hiddenSize])) }
            if c.queryKeyNorm != .none {
                parts.append((.queryNorm, [perHead ? c.headSize : queries]))
                parts.append((.keyNorm, [perHead ? c.headSize : keys]))
            }
            list += parts.map { (TensorRole($0.0, block: block), $0.1) }
        }
        return list
    }

    private struct SourceKey: Hashable {
        var type: ElementType
        var length: Int
        var isMatrix: Bool
    }

    /// Endless rows that are encodings of a few random ones.
    private struct RepeatedRows: TensorSource {
        let rows: [[UInt8]]

        init(_ key: SourceKey, stream: inout RandomStream) throws {
            let isMatrix = key.isMatrix
            let spread = isMatrix ? 1 / Double(key.length).squareRoot() : 0.05
            rows = try (0..<(isMatrix ? RandomWeights.distinctRows : 1)).map { _ in
                let values = (0..<key.length).map { _ in Float(spread * stream.normal() + (isMatrix ? 0 : 1)) }
                return try encode(values, key.type)
            }
        }

        func withBytes<Result>(
            rows range: Range<Int>, rowByteCount: Int, _ body: (RawSpan) throws -> Result
        ) throws -> Result {
            var bytes: [UInt8] = []
            bytes.reserveCapacity(range.count * rowByteCount)
            for row in range { bytes += rows[row % rows.count] }
            return try unsafe body(bytes.span.bytes)
        }
    }

    private static func encode(_ values: [Float], _ type: ElementType) throws -> [UInt8] {
        func littleEndian(_ numbers: [some FixedWidthInteger]) -> [UInt8] {
            numbers.flatMap { number in
                stride(from: 0, to: number.bitWidth, by: 8).map { UInt8(truncatingIfNeeded: number >> $0) }
            }
        }
        switch type {
        case .f32: return littleEndian(values.map(\.bitPattern))
        case .f16: return littleEndian(values.map { Float16($0).bitPattern })
        case .bf16: return littleEndian(values.map { UInt16(($0.bitPattern &+ 0x8000) >> 16) })
        default:
            let method: BlockCodec.Method = BlockCodec.canEncode(type, .nearest) ? .nearest : .search
            return try BlockCodec.encode(type, method, values, rowLength: values.count)
        }
    }
}
