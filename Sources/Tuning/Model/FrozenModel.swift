import ModelGraph
import Runtime
import TensorFiles

/// The base model as the trainer sees it: canonical, frozen, in float32 where the budget allows.
final class FrozenModel: Sendable {
    struct Layer: Sendable {
        var norms: [TensorRole.Part: Matrix] = [:]
        var linears: [TensorRole.Part: FrozenMatrix] = [:]
        var biases: [TensorRole.Part: Matrix] = [:]
    }

    let configuration: ModelConfiguration
    let embedding: FrozenMatrix
    let unembedding: FrozenMatrix
    let outputNorm: Matrix
    let layers: [Layer]

    static let linears: [TensorRole.Part] = [.query, .key, .value, .attentionOutput, .gate, .up, .down]
    static let biasOf: [TensorRole.Part: TensorRole.Part] = [
        .query: .queryBias, .key: .keyBias, .value: .valueBias, .attentionOutput: .attentionOutputBias,
    ]

    /// - Parameters:
    ///   - graph: in canonical form.
    ///   - residentBudget: bytes that decoded weights may take; what does not fit is decoded at each use. The
    ///     unembedding comes first, since it is used most, then the layers in order.
    init(_ graph: ModelGraph, residentBudget: Int = .max) throws {
        configuration = graph.configuration
        let configuration = self.configuration
        var left = residentBudget
        func matrix(_ tensor: Tensor) throws -> FrozenMatrix {
            let bytes = tensor.elementCount.multipliedReportingOverflow(by: 4)
            let keep = !bytes.overflow && bytes.partialValue <= left
            if keep { left -= bytes.partialValue }
            return try FrozenMatrix(tensor, resident: keep)
        }
        func vector(_ tensor: Tensor) throws -> Matrix {
            let result = Matrix(1, tensor.elementCount)
            try FrozenMatrix.decode(tensor, rows: 0..<tensor.rowCount, into: result.view)
            return result
        }
        func require(_ part: TensorRole.Part, _ block: Int? = nil) throws -> Tensor {
            guard let tensor = graph.tensors[TensorRole(part, block: block)] else {
                throw TuningError.missingTensor(part: part.rawValue, block: block)
            }
            return tensor
        }
        for role in graph.tensors.keys.sorted() where role.part.isWeight && !Self.known.contains(role.part) {
            throw TuningError.noGradient(family: configuration.family, part: role.part.rawValue, block: role.block)
        }
        let table = try require(.tokenEmbedding)
        guard table.rowCount == configuration.vocabularySize, table.rowLength == configuration.hiddenSize else {
            throw TuningError.wrongShape(
                tensor: table.name, expected: [configuration.vocabularySize, configuration.hiddenSize],
                found: table.shape)
        }
        embedding = try matrix(table)
        unembedding = try graph[.output].map { try matrix($0) } ?? embedding
        outputNorm = try vector(require(.outputNorm))
        layers = try configuration.layers.indices.map { block in
            var layer = Layer()
            for part in Self.linears {
                let tensor = try require(part, block)
                guard let shape = Graft.shape(of: part, in: configuration),
                    tensor.rowCount == shape.rows, tensor.rowLength == shape.columns
                else { throw TuningError.wrongShape(tensor: tensor.name, expected: [], found: tensor.shape) }
                layer.linears[part] = try matrix(tensor)
                if let bias = Self.biasOf[part], let tensor = graph[bias, block] {
                    layer.biases[part] = try vector(tensor)
                }
            }
            for (part, needed) in Self.norms(configuration) where needed {
                layer.norms[part] = try vector(require(part, block))
            }
            return layer
        }
    }

    /// What the training pass computes with; anything else would be left out of it in silence.
    private static let known = Set(
        [.tokenEmbedding, .output] + linears + biasOf.values + TensorRole.Part.allCases.filter(\.isNorm))

    private static func norms(_ configuration: ModelConfiguration) -> [(TensorRole.Part, Bool)] {
        [
            (.attentionNorm, configuration.attentionNorm), (.postAttentionNorm, configuration.postAttentionNorm),
            (.feedForwardNorm, configuration.feedForwardNorm),
            (.postFeedForwardNorm, configuration.postFeedForwardNorm),
            (.queryNorm, configuration.queryKeyNorm != .none), (.keyNorm, configuration.queryKeyNorm != .none),
        ]
    }

    var queryWidth: Int { configuration.headCount * configuration.headSize }
    var keyWidth: Int { configuration.keyValueHeadCount * configuration.headSize }
    var epsilon: Float { Float(configuration.normEpsilon) }
    var activation: Int32 { configuration.activation == .silu ? 0 : 1 }

    /// The rotary tables for sequences of up to `positions`, one for each of the configuration's rotaries.
    func rotaryTables(positions: Int) -> [RotaryTable] {
        configuration.rotaries.map { rotary in
            let frequencies = RotaryFrequencies(rotary, context: positions)
            return RotaryTable(
                frequencies: frequencies.perPosition, magnitude: frequencies.magnitude, positions: positions)
        }
    }
}
