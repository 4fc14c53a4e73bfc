public import Kernels
public import ModelGraph
public import TensorFiles

/// A model's weights, ready to multiply: what every sequence that runs it shares.
///
/// Made from a canonical `ModelGraph` of any family; what a layer does is read from the configuration alone. Large
/// matrices are laid out for the kernels as they are read, so the file is not needed in memory beside them.
public final class Transformer: Sendable {
    public let configuration: ModelConfiguration
    public let pool: WorkerPool
    public let precision: ActivationPrecision
    /// W of logits = W z, [vocabulary, hidden].
    public let output: WeightMatrix
    /// Memory that the weights take.
    public let byteCount: Int

    let blocks: [Block]
    let outputNorm: FloatBuffer
    let rows: RowKernels
    /// Rows of the embedding table when it is not the unembedding; read as they are asked for.
    private let embedding: Tensor?

    /// One linear map of a block.
    struct Linear: Sendable {
        let part: TensorRole.Part
        let matrix: WeightMatrix
        let bias: FloatBuffer?
    }

    /// One block's weights; a norm that the family does not have is `nil`.
    struct Block: Sendable {
        let attentionNorm, postAttentionNorm, feedForwardNorm, postFeedForwardNorm: FloatBuffer?
        let queryNorm, keyNorm: FloatBuffer?
        let query, key, value, attentionOutput: Linear
        let gate, up, down: Linear
    }

    /// - Parameters:
    ///   - graph: canonical: projections apart, norms that multiply as stored.
    ///   - precision: of the activations; `.float32` is the reference.
    /// - Throws: `RuntimeError.missingTensor`, `.shape` or `.unsupported`; `KernelError` for a type without products.
    public init(
        _ graph: ModelGraph, precision: ActivationPrecision = .int8, pool: WorkerPool,
        progress: ProgressHandler? = nil
    ) throws {
        let configuration = graph.configuration
        try Self.check(configuration)
        let total = graph.tensors.values.reduce(0) { $0 + $1.byteCount }
        var reader = WeightReader(
            graph: graph, precision: precision, pool: pool, total: total, progress: progress)
        var blocks: [Block] = []
        for index in configuration.layers.indices { blocks.append(try reader.block(index)) }
        self.blocks = blocks
        let width = configuration.hiddenSize
        outputNorm = try reader.vector(.outputNorm, nil, count: width)
        let vocabulary = configuration.vocabularySize
        let table = try reader.tensor(.tokenEmbedding, nil, shape: [vocabulary, width])
        if configuration.tiedEmbeddings || graph[.output] == nil {
            output = try reader.matrix(table)
            embedding = nil
        } else {
            output = try reader.matrix(try reader.tensor(.output, nil, shape: [vocabulary, width]))
            guard BlockCodec.canDecode(table.type) else {
                throw RuntimeError.unsupported(
                    "tensor \(table.name) has type \(table.type.rawValue), which cannot be read as numbers")
            }
            embedding = table
        }
        self.configuration = configuration
        self.pool = pool
        self.precision = precision
        rows = RowKernels(pool.instructionSet)
        byteCount = reader.bytes
    }

    /// Writes a token's embedding as stored, before any scale: `hiddenSize` floats.
    public func embed(_ token: Int, into buffer: FloatBuffer, at offset: Int) throws {
        guard token >= 0, token < configuration.vocabularySize else {
            throw RuntimeError.token(token, vocabulary: configuration.vocabularySize)
        }
        guard let embedding else { return output.row(token, into: buffer, at: offset) }
        try embedding.withBytes(rows: token..<token + 1) { bytes in
            try buffer.withMutableSpan(offset..<offset + embedding.rowLength) { span in
                try BlockCodec.decode(embedding.type, bytes, into: &span)
            }
        }
    }

    private static func check(_ c: ModelConfiguration) throws {
        func need(_ condition: Bool, _ problem: String) throws {
            guard condition else { throw RuntimeError.unsupported(problem) }
        }
        try need(
            c.vocabularySize > 0 && c.hiddenSize > 0 && c.feedForwardSize > 0 && c.contextLength > 0
                && !c.layers.isEmpty, "the configuration has a size of zero")
        try need(
            c.headCount > 0 && c.keyValueHeadCount > 0 && c.headSize > 0
                && c.headCount % c.keyValueHeadCount == 0,
            "\(c.headCount) heads cannot share \(c.keyValueHeadCount) key/value heads")
        try need(c.headCount / c.keyValueHeadCount <= 128, "more than 128 heads share one key/value head")
        try need(c.headSize <= 1024, "heads of more than 1024 elements are not supported")
        for (index, layer) in c.layers.enumerated() {
            if let rotary = layer.rotary {
                try need(
                    c.rotaries.indices.contains(rotary), "block \(index) names a rotary embedding that is not there")
            }
            try need(layer.slidingWindow ?? 1 > 0, "block \(index) has a sliding window of no positions")
        }
        for rotary in c.rotaries {
            try need(
                rotary.dimension > 0 && rotary.dimension % 2 == 0 && rotary.dimension <= c.headSize,
                "a rotary embedding turns \(rotary.dimension) elements of heads of \(c.headSize)")
            let divisors: Int? =
                switch rotary.scaling {
                case .factors(let list): list.count
                case .longRope(let short, let long, _): min(short.count, long.count)
                default: nil
                }
            try need(
                divisors ?? rotary.dimension / 2 >= rotary.dimension / 2,
                "a rotary embedding has fewer divisors than pairs of elements")
        }
    }
}
