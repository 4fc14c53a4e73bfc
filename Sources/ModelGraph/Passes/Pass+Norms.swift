package import TensorFiles

extension GraphPass {
    /// Norm weights stored so that `offset` is added before they multiply. Gemma's Hub files have 1, GGUF files and
    /// the runtime 0. The result is F32, the sum of a weight widened to F32 and the difference of the offsets.
    public static func normOffset(_ offset: Double) -> GraphPass {
        GraphPass(name: "normOffset(\(offset))", preservesFunction: true) { graph in
            guard graph.normOffset != offset else { return graph }
            var graph = graph
            let difference = Float(graph.normOffset - offset)
            for (role, tensor) in graph.tensors where role.part.isNorm {
                guard [.f32, .f16, .bf16].contains(tensor.type),
                    let shifted = Tensor(
                        name: tensor.name, shape: tensor.shape, type: .f32,
                        source: ShiftedVector(base: tensor, difference: difference))
                else {
                    throw ModelError.pass("normOffset", reason: "\(tensor.name) is \(tensor.type.rawValue)")
                }
                graph.tensors[role] = shifted
            }
            graph.normOffset = offset
            return graph
        }
    }
}

/// A vector of plain numbers, widened to F32, with a number added to each.
struct ShiftedVector: TensorSource {
    let base: Tensor
    let difference: Float

    func withBytes<Result>(
        rows: Range<Int>, rowByteCount: Int, _ body: (RawSpan) throws -> Result
    ) throws -> Result {
        let bytes = try base.withBytes(rows: rows) { span in
            [UInt8](capacity: rows.count * rowByteCount) { target in
                for index in 0..<rows.count * base.rowLength {
                    let bits = (span.float(at: index, base.type) + difference).bitPattern
                    for shift in stride(from: UInt32(0), to: 32, by: 8) {
                        target.append(UInt8(truncatingIfNeeded: bits >> shift))
                    }
                }
            }
        }
        return try unsafe body(bytes.span.bytes)
    }
}

extension RawSpan {
    /// Element `index` of a run of F32, F16 or BF16, widened.
    package func float(at index: Int, _ type: ElementType) -> Float {
        switch type {
        case .f32: Float(bitPattern: loadLittleEndian(index * 4, as: UInt32.self))
        case .f16: Float(Float16(bitPattern: loadLittleEndian(index * 2, as: UInt16.self)))
        case .bf16: Float(bitPattern: UInt32(loadLittleEndian(index * 2, as: UInt16.self)) << 16)
        default: preconditionFailure("\(type) is not a plain float type")
        }
    }
}
