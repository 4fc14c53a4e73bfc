import Kernels
import Quantization
import Synchronization
import TensorFiles

/// What quantizing found on its way, added up by threads in any order.
public final class QuantizationTally: Sendable {
    private struct State {
        var replaced = 0
        var errors: [String: [Int: BlockCodec.RowError]] = [:]
    }

    private let state = Mutex(State())

    /// How many NaN and infinities became 0.
    public var replacedCount: Int { state.withLock { $0.replaced } }

    /// For each tensor that was measured, Σ importance · (w − w')² over Σ importance · w².
    public var relativeErrors: [String: Double] {
        state.withLock { state in
            state.errors.mapValues { rows in
                // In the order of rows, so that the sum does not depend on threads.
                var total = BlockCodec.RowError()
                for row in rows.sorted(by: { $0.key < $1.key }) {
                    total.error += row.value.error
                    total.energy += row.value.energy
                }
                return total.energy > 0 ? total.error / total.energy : 0
            }
        }
    }

    func add(replaced: Int) {
        if replaced > 0 { state.withLock { $0.replaced += replaced } }
    }

    func add(_ error: BlockCodec.RowError, of tensor: String, firstRow: Int) {
        state.withLock { $0.errors[tensor, default: [:]][firstRow] = error }
    }
}

/// Makes entries whose rows are quantized as they are written.
struct QuantizationWork: Sendable {
    let importance: ImportanceMatrix?
    let hessians: HessianStore?
    let replacesNonfinite: Bool
    /// The loss of every tensor is measured.
    let measures: Bool
    let tally: QuantizationTally

    func entry(
        _ base: ConversionPlan.Entry, _ decision: TypePlan.Entry, tensor: Tensor?
    ) throws -> ConversionPlan.Entry {
        guard decision.type != base.declaration.type else { return base }
        let name = decision.subject.name
        guard let tensor else {
            throw ConversionError.noCodec(tensor: name, from: base.sourceType, to: decision.type)
        }
        var fate = "\(tensor.type.rawValue) to \(decision.type.rawValue), \(decision.reason)"
        if let wanted = decision.wanted {
            fate += ", rows of \(tensor.rowLength) are no whole blocks of \(wanted.rawValue)"
        }
        let declaration = try TensorDeclaration(name: name, shape: tensor.shape, type: decision.type)
        let isSequential = decision.method == .gptq && decision.type.isQuantized && tensor.shape.count == 2
        if isSequential, hessians == nil {
            return make(declaration, base, fate, rowBytes: 0, prepare: Self.unprepared)
        }
        let encoder = try TensorEncoder(
            tensor, to: decision.type, method: decision.method, importance: importance, hessians: hessians,
            name: name,
            replacesNonfinite: replacesNonfinite)
        if isSequential {
            fate += encoder.source?.isWhole == true ? ", gptq" : ", searched for want of second moments"
        }
        return make(
            declaration, base, fate, rowBytes: tensor.rowByteCount + (encoder.source?.rowBytes ?? 0),
            preparationBytes: encoder.source?.byteCount ?? 0, rowMultiple: encoder.rowMultiple
        ) {
            var prepared = encoder
            try prepared.prepare()
            let ready = prepared
            return { rows in
                let made = try ready.encode(rows: rows)
                tally.add(replaced: made.replaced)
                if measures {
                    try tally.add(ready.error(of: made.bytes, rows: rows), of: name, firstRow: rows.lowerBound)
                }
                tensor.source.release(rows: rows, rowByteCount: tensor.rowByteCount)
                return made.bytes
            }
        }
    }

    /// Only a dry run plans GPTQ without what it needs.
    private static func unprepared() throws -> RowMaker {
        throw ConversionError.invalid("GPTQ was planned without second moments")
    }

    private func make(
        _ declaration: TensorDeclaration, _ base: ConversionPlan.Entry, _ fate: String, rowBytes: Int,
        preparationBytes: Int = 0, rowMultiple: Int = 1, prepare: @escaping @Sendable () throws -> RowMaker
    ) -> ConversionPlan.Entry {
        .init(
            declaration, role: base.role,
            rows: .made(preparationBytes: preparationBytes, rowBytes: rowBytes, prepare: prepare),
            rowMultiple: rowMultiple, sourceType: base.sourceType, sourceByteCount: base.sourceByteCount, fate: fate)
    }
}
