import Kernels
public import ModelGraph
public import TensorFiles

/// Which element type each tensor of a graft gets, and why.
///
/// Norms, biases and mask embeddings stay in F32: they are small, and a wrong scale in them spoils every draft.
/// Matrices take the type asked for where their rows divide into its blocks, and fall back by one rule: a type with
/// blocks of 256 to the nearest one with blocks of 32, and that to F16. The halves of the sampler's first matrix are
/// tensors of their own, so that no block has both an embedding's and a hidden row's weights.
public struct GraftTypes: Sendable {
    public struct Fate: Hashable, Sendable, Codable {
        public var name: String
        public var shape: [Int]
        public var from: String
        public var type: String
        public var bytes: Int
        /// Why the type is another than the one asked for.
        public var note: String?
    }

    /// For matrices; `nil`: as they are.
    public var matrices: ElementType?

    public init(matrices: ElementType? = nil) { self.matrices = matrices }

    /// The type for a tensor with the sidecar's name, and a note where it is not the one asked for.
    func type(for tensor: Tensor) -> (type: ElementType, note: String?) {
        let isMatrix = tensor.shape.count == 2 && tensor.name != "mask_embedding"
        guard isMatrix else { return (.f32, nil) }
        guard let wanted = matrices else { return (tensor.type.ggmlIdentifier == nil ? .f32 : tensor.type, nil) }
        var type = wanted
        var note: String?
        while tensor.rowLength % type.block.elements != 0 {
            note = "rows of \(tensor.rowLength) are no whole blocks of \(wanted.rawValue)"
            type = Self.fallback(type)
        }
        return (type, note)
    }

    private static func fallback(_ type: ElementType) -> ElementType {
        guard type.block.elements > 32 else { return .f16 }
        return switch type {
        case .q2_K, .q3_K: .q4_0
        case .q4_K: .q5_0
        case .q5_K: .q5_1
        case .iq4_XS: .iq4_NL
        default: .q8_0
        }
    }

    /// The graft with every tensor in its type, made as it is read.
    public func apply(to graft: Graft) throws -> (graft: Graft, fates: [Fate]) {
        var fates: [Fate] = []
        let changed = try graft.mapTensors { tensor in
            let (type, note) = type(for: tensor)
            let result = try Self.recoded(tensor, as: type)
            fates.append(
                Fate(
                    name: tensor.name, shape: tensor.shape, from: tensor.type.rawValue, type: type.rawValue,
                    bytes: result.byteCount, note: note))
            return result
        }
        return (changed, fates)
    }

    private static func recoded(_ tensor: Tensor, as type: ElementType) throws -> Tensor {
        guard tensor.type != type else { return tensor }
        let method: BlockCodec.Method = BlockCodec.canEncode(type, .search) ? .search : .nearest
        guard BlockCodec.canDecode(tensor.type), BlockCodec.canEncode(type, method),
            let result = Tensor(
                name: tensor.name, shape: tensor.shape, type: type,
                source: RecodedSource(base: tensor, type: type, method: method))
        else { throw ConversionError.noCodec(tensor: tensor.name, from: tensor.type, to: type) }
        return result
    }
}

/// Rows of another tensor in another type, made when they are asked for.
private struct RecodedSource: TensorSource {
    let base: Tensor
    let type: ElementType
    let method: BlockCodec.Method

    func withBytes<Result>(
        rows: Range<Int>, rowByteCount: Int, _ body: (RawSpan) throws -> Result
    ) throws -> Result {
        let values = try base.floats(rows: rows)
        if let bad = BlockCodec.firstNonfinite(values) {
            throw ModelError.graft(.notFinite(tensor: base.name, row: rows.lowerBound + bad / base.rowLength))
        }
        let bytes = try BlockCodec.encode(type, method, values, rowLength: base.rowLength)
        return try unsafe body(bytes.span.bytes)
    }
}
