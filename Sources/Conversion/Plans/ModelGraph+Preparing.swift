import Foundation
public import ModelGraph
import TensorFiles

extension ModelGraph {
    /// The graph rewritten to what a dialect stores: its row order, its norm offset, its fused projections.
    public func prepared(for dialect: Dialect, _ architecture: Architecture) throws -> ModelGraph {
        var graph = self
        let nameless = Set(
            graph.tensors.keys.map(\.part).filter { part in
                architecture.name(of: TensorRole(part, block: 0), in: dialect) == nil && part.isWeight
            })
        if nameless.contains(where: { $0.fusedParts != nil }) { graph = try GraphPass.splitFused(graph) }
        let fusable = TensorRole.Part.allCases.filter { part in
            part.fusedParts.map { pieces in
                !nameless.isDisjoint(with: pieces)
                    && architecture.name(of: TensorRole(part, block: 0), in: dialect) != nil
            } ?? false
        }
        if !fusable.isEmpty { graph = try GraphPass.fuse(Set(fusable))(graph) }
        let order = dialect == .gguf ? architecture.gguf.rotaryOrder : .halves
        let offset = dialect == .hub ? architecture.hub.normOffset ?? 0 : 0
        return try graph.applying([.rotaryOrder(order), .normOffset(offset)])
    }

    /// Roles and tensors in the order in which the source stores them, so that it is read front to back; what the
    /// source has not comes last, in the order of roles.
    func inSourceOrder(_ source: ModelGraph) -> [(role: TensorRole, tensor: Tensor)] {
        var positions: [String: Int] = [:]
        for (position, tensor) in (source.origin?.checkpoint?.tensors ?? []).enumerated() {
            positions[tensor.name] = position
        }
        let ranked = roles.enumerated().compactMap { rank, role in
            tensors[role].map { tensor in
                (
                    position: positions[source.tensors[role]?.name ?? tensor.name] ?? Int.max, rank: rank, role: role,
                    tensor: tensor
                )
            }
        }
        return ranked.sorted { ($0.position, $0.rank) < ($1.position, $1.rank) }.map { ($0.role, $0.tensor) }
    }

    /// What preparing did to a tensor, in words.
    func steps(of role: TensorRole, since source: ModelGraph) -> [String] {
        var steps: [String] = []
        if source.tensors[role] == nil { steps.append(role.part.fusedParts == nil ? "split" : "fused") }
        if configuration.rotaryOrder != source.configuration.rotaryOrder,
            [.query, .key, .queryBias, .keyBias].contains(role.part)
                || (role.part.isHeadNorm && configuration.queryKeyNorm != .none)
        {
            steps.append("rotary rows reordered")
        }
        if normOffset != source.normOffset, role.part.isNorm {
            let difference = source.normOffset - normOffset
            steps.append(difference > 0 ? "plus \(difference)" : "minus \(-difference)")
        }
        return steps
    }

    /// What a resumed run must find unchanged: the files' names, sizes and times.
    public var sourceIdentity: String {
        let files = origin?.checkpoint?.files.map(\.file) ?? []
        return files.map { file in
            let attributes = try? FileManager.default.attributesOfItem(atPath: file.path)
            let time = (attributes?[.modificationDate] as? Date)?.timeIntervalSince1970 ?? 0
            return "\(file.name) \(file.byteCount) \(time)"
        }.joined(separator: "\n")
    }

    /// A name for people: what the configuration or the folder is called.
    public var displayName: String {
        if let name = origin?.metadata?["general.name"]?.string { return name }
        if let name = origin?.config?[path: "_name_or_path"]?.stringValue, let last = name.split(separator: "/").last
        {
            return String(last)
        }
        return URL(fileURLWithPath: origin?.folder ?? "model").standardizedFileURL.lastPathComponent
    }
}

extension TensorRole.Part {
    var isHeadNorm: Bool { self == .queryNorm || self == .keyNorm }
}

extension Int {
    /// A parameter count as GGUF labels write it: two digits at least, `1.4M`, `8.0B`, `70B`.
    var sizeLabel: String {
        let scales: [(Double, String)] = [(1e12, "T"), (1e9, "B"), (1e6, "M")]
        let (scale, letter) = scales.first { Double(self) > $0.0 } ?? (1e3, "K")
        let value = Double(self) / scale
        let digits = String(Int(value.rounded(.toNearestOrEven)))
        let decimals = digits == "0" ? 2 : Swift.max(2 - digits.count, 0)
        return String(format: "%.\(decimals)f", value) + letter
    }
}
