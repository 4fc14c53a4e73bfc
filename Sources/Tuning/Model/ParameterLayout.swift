import ModelGraph
import TensorFiles

/// Where each trained tensor of a graft lies in one flat run of float32, so that gradients, moments and parameters
/// are four runs of the same shape.
///
/// The A factors of linears that share an input (query, key, value; gate, up) lie one after the other: their product
/// with the input is one.
struct ParameterLayout: Sendable {
    struct Slot: Equatable, Sendable {
        var offset: Int
        var rows: Int
        var columns: Int
        var count: Int { rows * columns }
        var range: Range<Int> { offset..<offset + count }
    }

    struct Adapter: Sendable {
        /// [r, in]
        var a: Slot
        /// [out, r]
        var b: Slot
        /// Which columns of the group's low-rank rows are its own.
        var lowColumns: Range<Int>
    }

    /// Linears that read the same rows.
    struct Group: Sendable {
        var parts: [TensorRole.Part]
        var adapters: [TensorRole.Part: Adapter] = [:]
        /// All A factors, stacked: [sum of ranks, in]; `nil` when none of the parts is adapted.
        var a: Slot?
    }

    struct Tail: Sendable {
        var bias: Slot?
        var normWeight: Slot
        var normBias: Slot?
    }

    static let groups: [[TensorRole.Part]] = [[.query, .key, .value], [.attentionOutput], [.gate, .up], [.down]]

    let maskCount: Int
    let masks: Slot
    /// For each layer, in the order of `groups`.
    let layers: [[Group]]
    let scale: Float
    let token: Slot
    let hidden: Slot
    let second: Slot
    let tails: [Tail]
    let norm: Graft.Norm
    let normEpsilon: Float
    let residual: Bool
    let count: Int

    init(_ graft: Graft, configuration: ModelConfiguration) {
        var end = 0
        func slot(_ rows: Int, _ columns: Int) -> Slot {
            defer { end += rows * columns }
            return Slot(offset: end, rows: rows, columns: columns)
        }
        let d = configuration.hiddenSize
        maskCount = graft.maskCount
        masks = slot(graft.maskEmbeddings.rowCount, d)
        layers = configuration.layers.indices.map { block in
            Self.groups.map { parts in
                var group = Group(parts: parts)
                let start = end
                var low = 0
                var columns = 0
                for part in parts {
                    guard let adapter = graft.adapters[TensorRole(part, block: block)] else { continue }
                    columns = adapter.a.rowLength
                    let empty = Slot(offset: 0, rows: 0, columns: 0)
                    group.adapters[part] = Adapter(
                        a: slot(adapter.rank, columns), b: empty, lowColumns: low..<low + adapter.rank)
                    low += adapter.rank
                }
                if low > 0 { group.a = Slot(offset: start, rows: low, columns: columns) }
                for part in parts {
                    guard let adapter = graft.adapters[TensorRole(part, block: block)] else { continue }
                    group.adapters[part]?.b = slot(adapter.b.rowCount, adapter.rank)
                }
                return group
            }
        }
        scale = Float(graft.scale)
        token = slot(d, d)
        hidden = slot(d, d)
        second = slot(d, d)
        tails = [graft.sampler.firstTail, graft.sampler.secondTail].map { tail in
            Tail(
                bias: tail.bias.map { _ in slot(1, d) }, normWeight: slot(1, d),
                normBias: tail.normBias.map { _ in slot(1, d) })
        }
        norm = graft.sampler.norm
        normEpsilon = Float(graft.sampler.epsilon)
        residual = graft.sampler.residual
        count = end
    }

    /// Every tensor of the graft with its slot, in the order in which they lie.
    func tensors(of graft: Graft) -> [(tensor: Tensor, slot: Slot)] {
        var pairs: [(Tensor, Slot)] = [(graft.maskEmbeddings, masks)]
        for (block, groups) in layers.enumerated() {
            for group in groups {
                for part in group.parts {
                    guard let adapter = graft.adapters[TensorRole(part, block: block)],
                        let slots = group.adapters[part]
                    else { continue }
                    pairs.append((adapter.a, slots.a))
                    pairs.append((adapter.b, slots.b))
                }
            }
        }
        pairs += [(graft.sampler.token, token), (graft.sampler.hidden, hidden), (graft.sampler.second, second)]
        for (tail, slots) in zip([graft.sampler.firstTail, graft.sampler.secondTail], tails) {
            pairs.append((tail.normWeight, slots.normWeight))
            if let bias = tail.bias, let slot = slots.bias { pairs.append((bias, slot)) }
            if let bias = tail.normBias, let slot = slots.normBias { pairs.append((bias, slot)) }
        }
        return pairs.sorted { $0.1.offset < $1.1.offset }
    }
}

extension Matrix {
    /// A tensor's place in a flat run.
    func view(_ slot: ParameterLayout.Slot) -> MatrixView {
        view(offset: slot.offset, rows: slot.rows, columns: slot.columns)
    }
}
