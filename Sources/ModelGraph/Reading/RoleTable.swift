import TensorFiles

/// Matches a dialect's tensor names with roles, and tensors with the shapes that the configuration demands.
struct RoleTable {
    let architecture: Architecture
    let configuration: ModelConfiguration
    let dialect: Dialect
    private(set) var tensors: [TensorRole: Tensor] = [:]
    private let roles: [TensorRole]
    private let byName: [String: TensorRole]

    init(_ architecture: Architecture, _ configuration: ModelConfiguration, _ dialect: Dialect) {
        self.architecture = architecture
        self.configuration = configuration
        self.dialect = dialect
        roles = architecture.roles(blockCount: configuration.layers.count, in: dialect)
        var byName: [String: TensorRole] = [:]
        for role in roles {
            if let name = architecture.name(of: role, in: dialect) { byName[name] = role }
        }
        self.byName = byName
    }

    mutating func place(_ found: [Tensor], _ problems: inout [ModelProblem]) {
        var unknown: [String] = []
        for tensor in found {
            guard let role = byName[tensor.name] else {
                if !isLeftBehind(tensor.name) { unknown.append(tensor.name) }
                continue
            }
            check(tensor, role, &problems)
            tensors[role] = tensor
        }
        report(unknown: unknown, &problems)
    }

    mutating func place(namesFrom outline: HubOutline, type: ElementType, _ problems: inout [ModelProblem]) {
        let plain = outline.shards.map { QuantizedCheckpoint.plainNames($0, config: outline.config) }
        if let shards = plain?.shards {
            report(unknown: shards.keys.sorted().filter { byName[$0] == nil && !isLeftBehind($0) }, &problems)
        }
        for role in roles {
            guard let name = architecture.name(of: role, in: dialect),
                plain.map({ $0.shards[name] != nil }) ?? !architecture.isOptional(role, in: configuration)
            else { continue }
            if role.part == .output, configuration.tiedEmbeddings { continue }
            guard let shape = architecture.shape(of: role, in: configuration),
                let tensor = Tensor(
                    name: name, shape: shape, type: plain?.expanded.contains(name) == true ? .f32 : type,
                    source: AbsentSource(tensor: name, file: plain?.shards[name] ?? "model.safetensors"))
            else {
                problems.append(ModelProblem(.tensorShape, name, "its shape in this configuration is absurd"))
                continue
            }
            tensors[role] = tensor
        }
    }

    /// Tensors that belong to nobody's computation, or to ours beside the model.
    private func isLeftBehind(_ name: String) -> Bool {
        (dialect == .gguf && name.hasPrefix("foretoken.")) || architecture.isIgnored(name, in: dialect)
    }

    private func report(unknown: [String], _ problems: inout [ModelProblem]) {
        guard !unknown.isEmpty else { return }
        let shown = unknown.prefix(8).joined(separator: ", ") + (unknown.count > 8 ? ", …" : "")
        problems.append(
            ModelProblem(
                .tensorUnknown, shown,
                "\(unknown.count) tensor\(unknown.count == 1 ? "" : "s") without a role in family \(architecture.family)"
            ))
    }

    private func check(_ tensor: Tensor, _ role: TensorRole, _ problems: inout [ModelProblem]) {
        guard let expected = architecture.shape(of: role, in: configuration) else {
            problems.append(ModelProblem(.tensorShape, tensor.name, "its shape in this configuration is absurd"))
            return
        }
        guard tensor.shape != expected else {
            if !tensor.type.isWeightType {
                problems.append(
                    ModelProblem(
                        .tensorType, tensor.name, "\(tensor.type.rawValue) is not a type that weights come in"))
            }
            return
        }
        if role.part == .tokenEmbedding || role.part == .output, tensor.shape.count == 2,
            tensor.shape[1] == expected[1]
        {
            problems.append(
                ModelProblem(
                    .vocabulary, tensor.name,
                    "has \(tensor.shape[0]) rows, but the vocabulary is \(expected[0]); "
                        + "correct vocab_size or resize the embedding"))
            return
        }
        problems.append(
            ModelProblem(.tensorShape, tensor.name, "expected shape \(expected), found \(tensor.shape)"))
    }

    /// Every role that is not optional must be there; optional ones in every block or in none.
    func checkComplete(_ problems: inout [ModelProblem]) {
        var missing: [String] = []
        var optional: [TensorRole.Part: (present: Int, absent: String)] = [:]
        for role in roles {
            let name = architecture.name(of: role, in: dialect) ?? role.description
            let present = tensors[role] != nil
            if architecture.isOptional(role, in: configuration) {
                guard role.block != nil else { continue }
                var state = optional[role.part] ?? (0, "")
                if present { state.present += 1 } else if state.absent.isEmpty { state.absent = name }
                optional[role.part] = state
            } else if !present {
                missing.append(name)
            }
        }
        if !missing.isEmpty {
            let shown = missing.prefix(8).joined(separator: ", ") + (missing.count > 8 ? ", …" : "")
            let tied = missing == [architecture.name(of: TensorRole(.output), in: dialect)]
            problems.append(
                ModelProblem(
                    .tensorMissing, shown,
                    "\(missing.count) tensor\(missing.count == 1 ? "" : "s") that family \(architecture.family) needs "
                        + (missing.count == 1 ? "is" : "are") + " missing"
                        + (tied ? "; set tie_word_embeddings to true if the embeddings are tied" : "")))
        }
        for (_, state) in optional.sorted(by: { $0.key.rawValue < $1.key.rawValue })
        where state.present > 0 && state.present < configuration.layers.count {
            problems.append(
                ModelProblem(
                    .uneven, state.absent,
                    "missing, though \(state.present) of \(configuration.layers.count) blocks have theirs"))
        }
    }
}

extension ElementType {
    /// Types that hold numbers a model computes with.
    var isWeightType: Bool {
        switch self {
        case .f16, .bf16, .f32, .f64: true
        default: isQuantized
        }
    }
}
