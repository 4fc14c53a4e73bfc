import Kernels
import ModelGraph
import TensorFiles

/// Reads causes off the weights themselves: lost, exchanged, not permuted, tied where they should not be.
struct TensorDiagnosis {
    let reference: Subject
    let candidate: Subject
    let comparisons: [TensorComparison]

    /// Below this a tensor is no copy of the reference's in any type: 2-bit types keep correlations above 0.9.
    private static let foreign = 0.5

    func findings() throws -> [Finding] {
        var findings: [Finding] = []
        findings += missing()
        findings += zeroed()
        findings += tied()
        let strangers = comparisons.filter { $0.correlation < Self.foreign && $0.energyRatio > 1e-6 }
        let turned = try strangers.filter { [.query, .key].contains($0.role.part) }.filter(matchesWhenPermuted)
        if !turned.isEmpty { findings.append(rotary(turned)) }
        let rest = strangers.filter { stranger in !turned.contains { $0.role == stranger.role } }
        if !rest.isEmpty { findings.append(exchanged(rest)) }
        return findings
    }

    private func missing() -> [Finding] {
        let lost = reference.graph.tensors.filter { candidate.graph.tensors[$0.key] == nil && $0.key.part != .output }
        let gained = candidate.graph.tensors.filter {
            reference.graph.tensors[$0.key] == nil && $0.key.part != .output
        }
        return [(lost, "lacks"), (gained, "has")].compactMap { tensors, verb in
            guard !tensors.isEmpty else { return nil }
            let names = tensors.values.map(\.name).sorted()
            let other = verb == "lacks" ? "the reference has" : "the reference does not have"
            return Finding(
                cause: verb == "lacks" ? "tensorsMissing" : "tensorsExtra", severity: .failure,
                message: "the candidate \(verb) \(names.count) tensors that \(other): \(list(names))")
        }
    }

    private func zeroed() -> [Finding] {
        let names = comparisons.filter { $0.energyRatio <= 1e-6 && $0.difference.relativeError > 0.9 }
            .map(\.difference.name)
        guard !names.isEmpty else { return [] }
        return [
            Finding(
                cause: "tensorZero", severity: .failure,
                message: "\(list(names)) \(names.count == 1 ? "is" : "are") all zeros in the candidate; "
                    + "write the file again from its source")
        ]
    }

    /// An unembedding of its own that became the embedding table on the way.
    private func tied() -> [Finding] {
        guard let output = reference.graph[.output], let table = reference.graph[.tokenEmbedding],
            let found = candidate.graph[.output] ?? candidate.graph[.tokenEmbedding],
            let own = try? TensorComparison.compare(.init(.output), output, found), own.correlation < Self.foreign,
            let other = try? TensorComparison.compare(.init(.output), table, found), other.correlation > 0.9
        else { return [] }
        return [
            Finding(
                cause: "tiedEmbeddings", severity: .failure,
                message: "the candidate's unembedding is its embedding table, but the reference has one of its own "
                    + "(\(output.name)): tie_word_embeddings was believed against the tensors")
        ]
    }

    private func matchesWhenPermuted(_ stranger: TensorComparison) throws -> Bool {
        guard let expected = reference.graph.tensors[stranger.role] else { return false }
        for order in [ModelConfiguration.RotaryOrder.halves, .interleaved] {
            var graph = candidate.graph
            graph.configuration.rotaryOrder = order == .halves ? .interleaved : .halves
            guard let permuted = try graph.applying([.rotaryOrder(order)]).tensors[stranger.role],
                let comparison = try TensorComparison.compare(stranger.role, expected, permuted)
            else { continue }
            if comparison.correlation > 0.9 { return true }
        }
        return false
    }

    private func rotary(_ turned: [TensorComparison]) -> Finding {
        Finding(
            cause: "rotaryOrder", severity: .failure,
            message:
                "the rows of \(list(turned.map(\.difference.name))) are those of the reference in another order: "
                + "the rotary permutation between the Hub's and GGUF's layout was skipped or done twice")
    }

    private func exchanged(_ strangers: [TensorComparison]) -> Finding {
        let names = strangers.map(\.difference.name)
        var message = "\(list(names)) \(names.count == 1 ? "is" : "are") not of the reference's model "
        message += "(correlation \(Markup.number(strangers.map(\.correlation).max() ?? 0)) at most)"
        let files = Set(strangers.compactMap(file))
        if candidate.checkpoint.files.count > 1, files.count == 1, let file = files.first {
            let others = comparisons.filter { comparison in
                !strangers.contains { $0.role == comparison.role } && self.file(comparison) == file
            }
            let all = others.allSatisfy { $0.role.part.isNorm }
            message += ": \(all ? "all" : "they") lie in \(file), a shard of another model"
        }
        return Finding(cause: "foreignTensors", severity: .failure, message: message)
    }

    private func file(_ comparison: TensorComparison) -> String? {
        guard let name = candidate.graph.tensors[comparison.role]?.name,
            let position = candidate.checkpoint.tensors.firstIndex(where: { $0.name == name }),
            let file = candidate.checkpoint.file(of: position)
        else { return nil }
        return String(file.file.path.split(separator: "/").last ?? "")
    }

    private func list(_ names: [String]) -> String {
        let shown = names.prefix(4).joined(separator: ", ")
        return names.count > 4 ? "\(shown) and \(names.count - 4) more" : shown
    }
}

extension TensorRole.Part {
    /// Norm weights of different models resemble each other, so they say nothing about where a tensor came from.
    var isNorm: Bool {
        switch self {
        case .outputNorm, .attentionNorm, .postAttentionNorm, .feedForwardNorm, .postFeedForwardNorm, .queryNorm,
            .keyNorm:
            true
        default: false
        }
    }
}
