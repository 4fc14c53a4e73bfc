import Kernels
import ModelGraph
import Runtime
import TensorFiles

/// Whether one tensor's type is responsible for most of the divergence: the suspect is given back the reference's
/// weights, and a part of the text is compared again.
struct TypeDiagnosis {
    let verification: Verification
    let candidate: Subject
    let record: ReferenceRecord
    let comparisons: [TensorComparison]
    /// Mean KL over the whole text, nats.
    let divergence: Double

    /// Below this mean KL there is nothing to explain.
    private static let noticeable = 0.005
    /// Suspects tried; models above this many parameters are not loaded again for each.
    private static let suspects = 3
    private static let windows = 4
    private static let largestModel = 1_500_000_000

    func findings() throws -> [Finding] {
        guard divergence > Self.noticeable,
            comparisons.reduce(0, { $0 + elements($1) }) <= Self.largestModel
        else { return [] }
        let ranked = comparisons.filter { $0.difference.relativeError > 0 && !$0.role.part.isNorm }
            .sorted { weight($0) > weight($1) }
        let before = try divergence(of: candidate.graph)
        var best: (comparison: TensorComparison, share: Double)?
        for suspect in ranked.prefix(Self.suspects) {
            var graph = candidate.graph
            graph.tensors[suspect.role] = verification.reference.graph.tensors[suspect.role]
            let share = 1 - (try divergence(of: graph)) / max(before, 1e-12)
            if share > best?.share ?? 0.5 { best = (suspect, share) }
        }
        guard let best, let tensor = candidate.graph.tensors[best.comparison.role] else { return [] }
        let difference = best.comparison.difference
        return [
            Finding(
                cause: "tensorType", severity: .warning,
                message: "\(difference.name) in \(difference.type) is responsible for "
                    + "\(Markup.percent(best.share, decimals: 0)) of the divergence"
                    + remedy(tensor))
        ]
    }

    /// What a better type would cost.
    private func remedy(_ tensor: Tensor) -> String {
        for type in [ElementType.q6_K, .q8_0, .f16] where tensor.rowLength % type.block.elements == 0 {
            guard let row = type.byteCount(elements: tensor.rowLength) else { continue }
            let more = row * tensor.rowCount - tensor.byteCount
            if more > 0 { return "; \(type.rawValue) would cost \(Markup.bytes(more)) more" }
        }
        return ""
    }

    /// Error that reaches the output grows with the tensor's relative error and with how much passes through it.
    private func weight(_ comparison: TensorComparison) -> Double {
        let passesAll: Double = [.output, .tokenEmbedding].contains(comparison.role.part) ? 4 : 1
        return comparison.difference.relativeError * passesAll
    }

    private func elements(_ comparison: TensorComparison) -> Int {
        candidate.graph.tensors[comparison.role]?.elementCount ?? 0
    }

    /// Mean KL over the first windows of the text.
    private func divergence(of graph: ModelGraph) throws -> Double {
        let model = try Transformer(graph, precision: verification.options.precision, pool: verification.pool)
        return try DivergenceMeasurement(record: record, model: model, cache: verification.options.cache)
            .run(windows: Self.windows).kl.mean
    }
}
