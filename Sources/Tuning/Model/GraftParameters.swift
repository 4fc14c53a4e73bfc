import Kernels
import ModelGraph
import TensorFiles

/// A graft's trained tensors as one flat run of float32, and back.
struct GraftParameters {
    let layout: ParameterLayout
    let values: Matrix

    /// - Parameter graft: bound to the model's row order.
    init(_ graft: Graft, configuration: ModelConfiguration) throws {
        layout = ParameterLayout(graft, configuration: configuration)
        values = Matrix(1, layout.count)
        for (tensor, slot) in layout.tensors(of: graft) {
            guard tensor.elementCount == slot.count else {
                throw TuningError.wrongShape(
                    tensor: tensor.name, expected: [slot.rows, slot.columns], found: tensor.shape)
            }
            try tensor.forEachRun { rows, bytes in
                let part = values.view(
                    offset: slot.offset + rows.lowerBound * tensor.rowLength, rows: rows.count,
                    columns: tensor.rowLength)
                try part.withMutableSpan { (span: inout MutableSpan<Float>) throws in
                    try BlockCodec.decode(tensor.type, bytes, into: &span)
                }
            }
        }
    }

    /// `graft` with these values in place of its own, in F32.
    func graft(like graft: Graft, values: Matrix? = nil) -> Graft {
        let values = values ?? self.values
        func tensor(_ old: Tensor, _ slot: ParameterLayout.Slot) -> Tensor {
            var bytes: [UInt8] = []
            bytes.reserveCapacity(slot.count * 4)
            for value in values.view(slot).values {
                unsafe withUnsafeBytes(of: value.bitPattern.littleEndian) { unsafe bytes.append(contentsOf: $0) }
            }
            // The old shape was valid for any type with blocks of one element.
            return Tensor(name: old.name, shape: old.shape, type: .f32, source: MemorySource(bytes))!
        }
        var result = graft
        result.maskEmbeddings = tensor(graft.maskEmbeddings, layout.masks)
        for (block, groups) in layout.layers.enumerated() {
            for group in groups {
                for (part, slots) in group.adapters {
                    let role = TensorRole(part, block: block)
                    guard let adapter = graft.adapters[role] else { continue }
                    result.adapters[role] = Graft.Adapter(
                        a: tensor(adapter.a, slots.a), b: tensor(adapter.b, slots.b))
                }
            }
        }
        result.sampler.token = tensor(graft.sampler.token, layout.token)
        result.sampler.hidden = tensor(graft.sampler.hidden, layout.hidden)
        result.sampler.second = tensor(graft.sampler.second, layout.second)
        func tail(_ old: Graft.SamplerTail, _ slots: ParameterLayout.Tail) -> Graft.SamplerTail {
            var tail = old
            tail.normWeight = tensor(old.normWeight, slots.normWeight)
            if let bias = old.bias, let slot = slots.bias { tail.bias = tensor(bias, slot) }
            if let bias = old.normBias, let slot = slots.normBias { tail.normBias = tensor(bias, slot) }
            return tail
        }
        result.sampler.firstTail = tail(graft.sampler.firstTail, layout.tails[0])
        result.sampler.secondTail = tail(graft.sampler.secondTail, layout.tails[1])
        return result
    }
}
