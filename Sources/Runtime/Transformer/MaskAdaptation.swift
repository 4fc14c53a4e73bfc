public import Kernels
public import ModelGraph

/// What a graft adds to mask rows; ordinary rows never see it.
public protocol MaskAdaptation: AnyObject, Sendable {
    /// Distinct mask embeddings.
    var maskCount: Int { get }

    /// Writes mask `index`'s embedding, from 0, as if it were a row of the embedding table: `hiddenSize` floats.
    func embed(mask index: Int, into buffer: FloatBuffer, at offset: Int)

    /// The update of one linear map, or `nil` when it has none.
    func update(_ part: TensorRole.Part, block: Int) -> LowRankUpdate?
}

/// y = W x + scale · B (A x): a low-rank update of a linear map (Hu et al., arXiv 2106.09685).
public struct LowRankUpdate: Sendable {
    /// [rank, inputs]
    public var a: WeightMatrix
    /// [outputs, rank]
    public var b: WeightMatrix
    public var scale: Float

    public init(a: WeightMatrix, b: WeightMatrix, scale: Float) {
        self.a = a
        self.b = b
        self.scale = scale
    }
}
