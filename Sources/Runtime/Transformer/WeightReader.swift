import Kernels
import ModelGraph
import TensorFiles

/// Takes a graph's tensors by role, checks their shapes and lays them out.
struct WeightReader {
    let graph: ModelGraph
    let precision: ActivationPrecision
    let pool: WorkerPool
    let total: Int
    let progress: ProgressHandler?
    private(set) var bytes = 0
    private var completed = 0

    init(
        graph: ModelGraph, precision: ActivationPrecision, pool: WorkerPool, total: Int, progress: ProgressHandler?
    ) {
        self.graph = graph
        self.precision = precision
        self.pool = pool
        self.total = total
        self.progress = progress
    }

    mutating func block(_ index: Int) throws -> Transformer.Block {
        let c = graph.configuration
        let queries = c.headCount * c.headSize
        let keys = c.keyValueHeadCount * c.headSize
        let width = c.hiddenSize
        let inner = c.feedForwardSize
        let normed = c.queryKeyNorm != .none
        let perHead = c.queryKeyNorm == .perHead
        return Transformer.Block(
            attentionNorm: try c.attentionNorm ? vector(.attentionNorm, index, count: width) : nil,
            postAttentionNorm: try c.postAttentionNorm ? vector(.postAttentionNorm, index, count: width) : nil,
            feedForwardNorm: try c.feedForwardNorm ? vector(.feedForwardNorm, index, count: width) : nil,
            postFeedForwardNorm: try c.postFeedForwardNorm ? vector(.postFeedForwardNorm, index, count: width) : nil,
            queryNorm: try normed ? vector(.queryNorm, index, count: perHead ? c.headSize : queries) : nil,
            keyNorm: try normed ? vector(.keyNorm, index, count: perHead ? c.headSize : keys) : nil,
            query: try linear(.query, .queryBias, index, rows: queries, columns: width),
            key: try linear(.key, .keyBias, index, rows: keys, columns: width),
            value: try linear(.value, .valueBias, index, rows: keys, columns: width),
            attentionOutput: try linear(
                .attentionOutput, .attentionOutputBias, index, rows: width, columns: queries),
            gate: try linear(.gate, nil, index, rows: inner, columns: width),
            up: try linear(.up, nil, index, rows: inner, columns: width),
            down: try linear(.down, nil, index, rows: width, columns: inner))
    }

    private mutating func linear(
        _ part: TensorRole.Part, _ bias: TensorRole.Part?, _ block: Int, rows: Int, columns: Int
    ) throws -> Transformer.Linear {
        let matrix = try matrix(try tensor(part, block, shape: [rows, columns]))
        var added: FloatBuffer?
        if let bias, graph[bias, block] != nil { added = try vector(bias, block, count: rows) }
        return Transformer.Linear(part: part, matrix: matrix, bias: added)
    }

    func tensor(_ part: TensorRole.Part, _ block: Int?, shape: [Int]) throws -> Tensor {
        guard let tensor = graph.tensors[TensorRole(part, block: block)] else {
            throw RuntimeError.missingTensor(block.map { "\(part.rawValue) of block \($0)" } ?? part.rawValue)
        }
        guard tensor.shape == shape || (shape.count == 1 && tensor.elementCount == shape[0]) else {
            throw RuntimeError.shape(tensor: tensor.name, expected: shape, found: tensor.shape)
        }
        return tensor
    }

    mutating func matrix(_ tensor: Tensor) throws -> WeightMatrix {
        let matrix = try WeightMatrix(tensor, precision: precision, pool: pool)
        bytes += matrix.byteCount
        report(tensor)
        return matrix
    }

    mutating func vector(_ part: TensorRole.Part, _ block: Int?, count: Int) throws -> FloatBuffer {
        let tensor = try tensor(part, block, shape: [count])
        let buffer = try FloatBuffer(try tensor.floats(rows: 0..<tensor.rowCount))
        bytes += count * MemoryLayout<Float>.stride
        report(tensor)
        return buffer
    }

    private mutating func report(_ tensor: Tensor) {
        completed += tensor.byteCount
        progress?(Progress(stage: "loading", completed: min(completed, total), total: total, unit: .bytes))
    }
}
