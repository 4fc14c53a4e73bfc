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
        if decision.method == .gptq, decision.type.isQuantized, tensor.shape.count == 2 {
            guard let hessians else { return make(declaration, base, fate, rowBytes: 0, prepare: Self.unprepared) }
            if hessians.has(name) { return try sequential(declaration, base, tensor, hessians, fate) }
            fate += ", searched for want of second moments"
        }
        let encoder = try TensorEncoder(
            tensor, to: decision.type, method: decision.method, importance: importance, name: name,
            replacesNonfinite: replacesNonfinite)
        let maker: RowMaker = { rows in
            let made = try encoder.encode(rows: rows)
            tally.add(replaced: made.replaced)
            if measures { try measure(made.bytes, encoder, rows) }
            tensor.source.release(rows: rows, rowByteCount: tensor.rowByteCount)
            return made.bytes
        }
        return make(declaration, base, fate, rowBytes: tensor.rowByteCount) { maker }
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

    private func sequential(
        _ declaration: TensorDeclaration, _ base: ConversionPlan.Entry, _ tensor: Tensor, _ hessians: HessianStore,
        _ fate: String
    ) throws -> ConversionPlan.Entry {
        let columns = tensor.rowLength
        let rowBytes = tensor.rowByteCount + 3 * 4 * columns
        let bytes = HessianFactor.workBytes(columns: columns)
        return make(
            declaration, base, fate + ", gptq", rowBytes: rowBytes, preparationBytes: bytes, rowMultiple: 8
        ) {
            let factor = try HessianFactor(
                hessians.moments(of: declaration.name, columns: columns), columns: columns, tensor: declaration.name)
            return { rows in
                let read = try TensorEncoder.finiteFloats(tensor, rows: rows, replacesNonfinite: replacesNonfinite)
                tally.add(replaced: read.replaced)
                tensor.source.release(rows: rows, rowByteCount: tensor.rowByteCount)
                return try SequentialQuantizer.encode(
                    declaration.type, read.values, columns: columns, upper: factor.upper, weights: factor.weights)
            }
        }
    }

    private func measure(_ bytes: [UInt8], _ encoder: TensorEncoder, _ rows: Range<Int>) throws {
        let tensor = encoder.tensor
        let values = try TensorEncoder.finiteFloats(tensor, rows: rows, replacesNonfinite: true).values
        let decoded = try BlockCodec.decode(encoder.type, unsafe bytes.span.bytes, count: values.count)
        let weights = encoder.weights.count == 1 ? encoder.weights[0] : []
        let error = BlockCodec.error(
            of: decoded, against: values, rowLength: tensor.rowLength, importance: weights)
        tally.add(error, of: tensor.name, firstRow: rows.lowerBound)
    }
}
