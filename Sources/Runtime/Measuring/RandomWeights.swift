import Kernels
public import ModelGraph
public import TensorFiles

/// A model of a given shape without weights of its own: what would it do on this machine?
public enum RandomWeights {
    /// Distinct rows of a matrix; they repeat, which no kernel notices.
    static let distinctRows = 64

    /// - Parameters:
    ///   - configuration: read from a `config.json`.
    ///   - type: the type of the tensor of a role and shape, which its rows must fit.
    public static func graph(
        _ configuration: ModelConfiguration, type: (TensorRole, [Int]) -> ElementType
    ) throws -> ModelGraph {
        let c = configuration
        var tensors: [TensorRole: Tensor] = [:]
        var sources: [SourceKey: RepeatedRows] = [:]
        var stream = RandomStream(seed: 1)
        func add(_ part: TensorRole.Part, _ block: Int?, _ shape: [Int]) throws {
            let role = TensorRole(part, block: block)
            let isMatrix = shape.count > 1
            let length = shape[shape.count - 1]
            let chosen = isMatrix ? type(role, shape) : .f32
            let key = SourceKey(type: chosen, length: length)
            let source = try sources[key] ?? RepeatedRows(key, isMatrix: isMatrix, stream: &stream)
            sources[key] = source
            guard let tensor = Tensor(name: "\(part.rawValue)", shape: shape, type: chosen, source: source) else {
                throw RuntimeError.unsupported("rows of \(length) elements are no whole blocks of \(chosen.rawValue)")
            }
            tensors[role] = tensor
        }
        try add(.tokenEmbedding, nil, [c.vocabularySize, c.hiddenSize])
        if !c.tiedEmbeddings { try add(.output, nil, [c.vocabularySize, c.hiddenSize]) }
        try add(.outputNorm, nil, [c.hiddenSize])
        let (queries, keys) = (c.headCount * c.headSize, c.keyValueHeadCount * c.headSize)
        for block in c.layers.indices {
            for norm in [
                TensorRole.Part.attentionNorm, .postAttentionNorm, .feedForwardNorm, .postFeedForwardNorm,
            ] { try add(norm, block, [c.hiddenSize]) }
            if c.queryKeyNorm != .none {
                try add(.queryNorm, block, [c.queryKeyNorm == .perHead ? c.headSize : queries])
                try add(.keyNorm, block, [c.queryKeyNorm == .perHead ? c.headSize : keys])
            }
            try add(.query, block, [queries, c.hiddenSize])
            try add(.key, block, [keys, c.hiddenSize])
            try add(.value, block, [keys, c.hiddenSize])
            try add(.attentionOutput, block, [c.hiddenSize, queries])
            try add(.gate, block, [c.feedForwardSize, c.hiddenSize])
            try add(.up, block, [c.feedForwardSize, c.hiddenSize])
            try add(.down, block, [c.hiddenSize, c.feedForwardSize])
        }
        return ModelGraph(configuration: c, tensors: tensors)
    }

    private struct SourceKey: Hashable {
        var type: ElementType
        var length: Int
    }

    /// Endless rows that are encodings of a few random ones.
    private struct RepeatedRows: TensorSource {
        let rows: [[UInt8]]

        init(_ key: SourceKey, isMatrix: Bool, stream: inout RandomStream) throws {
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
