public import Kernels
public import ModelGraph
import TensorFiles

/// A graft laid out for the kernels: what every sequence that drafts with it shares.
public final class LoadedGraft: MaskAdaptation, Sendable {
    /// Masks of a block, `k`.
    public let maskCount: Int
    /// Memory that the weights take.
    public let byteCount: Int
    let hiddenSize: Int
    let sampler: Sampler
    private let masks: FloatBuffer
    private let maskVectors: Int
    private let updates: [TensorRole: LowRankUpdate]

    /// The sampler head's weights.
    struct Sampler: Sendable {
        struct Tail: Sendable {
            let bias: FloatBuffer?
            let normWeight: FloatBuffer
            let normBias: FloatBuffer?
        }

        /// [d, d]: the halves of the first matrix, and the second.
        let token, hidden, second: WeightMatrix
        let firstTail, secondTail: Tail
        let norm: Graft.Norm
        let epsilon: Float
        let residual: Bool
    }

    /// - Parameter configuration: of the canonical graph that the model was loaded from; shapes are checked against
    ///   it, whether the graft belongs to the model is not.
    /// - Throws: `ModelError.graft` with GR-07 or GR-15; `KernelError` for a type without products.
    public init(
        _ graft: Graft, configuration: ModelConfiguration, precision: ActivationPrecision = .int8, pool: WorkerPool
    ) throws {
        let bound = try graft.bound(to: configuration)
        var bytes = 0
        func matrix(_ tensor: Tensor) throws -> WeightMatrix {
            let matrix = try WeightMatrix(tensor, precision: precision, pool: pool)
            bytes += matrix.byteCount
            return matrix
        }
        func vectors(_ tensor: Tensor) throws -> FloatBuffer {
            let values = try tensor.floats(rows: 0..<tensor.rowCount)
            if let bad = values.firstIndex(where: { !$0.isFinite }) {
                throw ModelError.graft(.notFinite(tensor: tensor.name, row: bad / tensor.rowLength))
            }
            bytes += values.count * MemoryLayout<Float>.stride
            return try FloatBuffer(values)
        }
        func tail(_ tail: Graft.SamplerTail) throws -> Sampler.Tail {
            Sampler.Tail(
                bias: try tail.bias.map(vectors), normWeight: try vectors(tail.normWeight),
                normBias: try tail.normBias.map(vectors))
        }
        maskCount = bound.maskCount
        hiddenSize = bound.hiddenSize
        masks = try vectors(bound.maskEmbeddings)
        maskVectors = bound.maskEmbeddings.rowCount
        var updates: [TensorRole: LowRankUpdate] = [:]
        // Parts of a fused projection share their factor A.
        for (role, adapter) in bound.adapters.sorted(by: { $0.key < $1.key }) {
            updates[role] = LowRankUpdate(
                a: try matrix(adapter.a), b: try matrix(adapter.b), scale: Float(bound.scale))
        }
        self.updates = updates
        let parts = bound.sampler
        sampler = Sampler(
            token: try matrix(parts.token), hidden: try matrix(parts.hidden), second: try matrix(parts.second),
            firstTail: try tail(parts.firstTail), secondTail: try tail(parts.secondTail), norm: parts.norm,
            epsilon: Float(parts.epsilon), residual: parts.residual)
        byteCount = bytes
    }

    public func embed(mask index: Int, into buffer: FloatBuffer, at offset: Int) {
        let row = min(index, maskVectors - 1)
        buffer.copy(row * hiddenSize..<(row + 1) * hiddenSize, of: masks, to: offset)
    }

    public func update(_ part: TensorRole.Part, block: Int) -> LowRankUpdate? {
        updates[TensorRole(part, block: block)]
    }
}
