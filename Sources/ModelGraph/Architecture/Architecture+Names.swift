extension Architecture {
    func rule(for part: TensorRole.Part) -> TensorRule? { tensors[part.rawValue] }

    /// The name of a role's tensor in a dialect; `nil` where the dialect has none.
    public func name(of role: TensorRole, in dialect: Dialect) -> String? {
        guard let rule = rule(for: role.part),
            let pattern = dialect == .hub ? rule.hub : rule.gguf
        else { return nil }
        return pattern.replacing("{block}", with: role.block.map(String.init) ?? "")
    }

    /// Every role a model of `blockCount` blocks can have in a dialect, in the order of the model's computation.
    public func roles(blockCount: Int, in dialect: Dialect) -> [TensorRole] {
        func parts(ofBlocks: Bool) -> [TensorRole.Part] {
            TensorRole.Part.allCases.filter { part in
                guard let rule = rule(for: part), let pattern = dialect == .hub ? rule.hub : rule.gguf else {
                    return false
                }
                return pattern.contains("{block}") == ofBlocks
            }
        }
        let whole = parts(ofBlocks: false).map { TensorRole($0) }
        let inner = parts(ofBlocks: true)
        return whole + (0..<blockCount).flatMap { block in inner.map { TensorRole($0, block: block) } }
    }

    /// The shape that the configuration gives a role's tensor.
    public func shape(of role: TensorRole, in configuration: ModelConfiguration) -> [Int]? {
        guard let rule = rule(for: role.part) else { return nil }
        var shape: [Int] = []
        for expression in rule.shape {
            guard let value = expression.value({ configuration.value(of: $0) }), value.isFinite, value >= 0,
                value < 9e15, value == value.rounded()
            else { return nil }
            shape.append(Int(value))
        }
        return shape
    }

    func isOptional(_ role: TensorRole, in configuration: ModelConfiguration) -> Bool {
        // GGUF says that embeddings are tied by leaving the output out; on the Hub a setting says it.
        (role.part == .output && configuration.tiedEmbeddings) || rule(for: role.part)?.optional == true
    }

    func isIgnored(_ name: String, in dialect: Dialect) -> Bool {
        let patterns = dialect == .hub ? hub.ignored : gguf.ignored
        return (patterns ?? []).contains { name.matches(wildcard: $0) }
    }
}

extension ModelConfiguration {
    /// The value that expressions over shapes see under a field's name.
    func value(of field: String) -> Double? {
        switch FieldName(rawValue: field) {
        case .blockCount: Double(layers.count)
        case .contextLength: Double(contextLength)
        case .hiddenSize: Double(hiddenSize)
        case .feedForwardSize: Double(feedForwardSize)
        case .headCount: Double(headCount)
        case .keyValueHeadCount: Double(keyValueHeadCount)
        case .headSize, .valueSize: Double(headSize)
        case .normEpsilon: normEpsilon
        case .vocabularySize: Double(vocabularySize)
        case .rotaryDimension: (rotaries.first?.dimension).map(Double.init) ?? Double(headSize)
        case .slidingWindow: layers.lazy.compactMap(\.slidingWindow).first.map(Double.init)
        case .attentionSoftCap: attentionSoftCap
        case .finalSoftCap: finalSoftCap
        case .attentionScale: attentionScale
        case .embeddingScale: embeddingScale
        case .residualScale: residualScale
        case .logitScale: logitScale
        case .tiedEmbeddings: tiedEmbeddings ? 1 : 0
        case nil: nil
        }
    }
}

extension String {
    /// `*` stands for any run of characters; everything else for itself.
    func matches(wildcard pattern: String) -> Bool {
        let parts = pattern.split(separator: "*", omittingEmptySubsequences: false)
        guard parts.count > 1 else { return self == pattern }
        var rest = Substring(self)
        guard rest.hasPrefix(parts[0]) else { return false }
        rest = rest.dropFirst(parts[0].count)
        for part in parts.dropFirst().dropLast() where !part.isEmpty {
            guard let range = rest.firstRange(of: part) else { return false }
            rest = rest[range.upperBound...]
        }
        return rest.hasSuffix(parts[parts.count - 1])
    }
}
