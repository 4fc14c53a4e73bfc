public import TensorFiles

extension ModelGraph {
    /// A `config.json` for this model, in the spelling that every version of transformers reads.
    ///
    /// - Parameter type: the type that most weights are stored in.
    public func hubSettings(as architecture: Architecture, type: ElementType) -> Setting {
        var writer = SettingWriter(self, architecture, .hub)
        var members: [String: Setting] = [:]
        if let name = architecture.hub.architectures.first { members["architectures"] = .array([.string(name)]) }
        if let name = architecture.hub.modelTypes.first { members["model_type"] = .string(name) }
        for (name, value) in architecture.hub.constants ?? [:] {
            if case .object(let rule) = value, let part = rule["tensor"]?.stringValue {
                members[name] = .bool(tensors.keys.contains { $0.part.rawValue == part })
            } else {
                members[name] = value
            }
        }
        for (name, rule) in architecture.fields {
            guard let (names, value) = writer.written(rule, value: writer.value(name)) else { continue }
            let setting: Setting =
                name == FieldName.tiedEmbeddings.rawValue
                ? .bool(value != 0) : Self.isReal(name) ? .number(value) : Self.setting(value)
            for name in names { members[name] = setting }
            // Settings that switch another one on.
            if let switching = rule.hub?.when { members[switching] = .bool(true) }
        }
        for (rule, rotary) in zip(architecture.rotaries, configuration.rotaries) {
            if let (names, value) = writer.written(rule.base, value: rotary.base) {
                for name in names { members[name] = .number(value) }
            }
        }
        if let rotary = configuration.rotaries.first { members["rope_scaling"] = Self.scaling(rotary) }
        let layers = configuration.layers
        if let rule = architecture.layers?.sliding, layers.contains(where: { $0.slidingWindow != nil }) {
            write(rule, layers.map { $0.slidingWindow != nil }, &writer, &members)
        }
        if let rule = architecture.layers?.rotary { write(rule, layers.map { $0.rotary != nil }, &writer, &members) }
        members["torch_dtype"] = .string(["F32": "float32", "F16": "float16"][type.rawValue] ?? "bfloat16")
        members["use_cache"] = .bool(true)
        return .object(members)
    }

    private func write(
        _ rule: Architecture.LayerRules.Flag, _ flags: [Bool], _ writer: inout SettingWriter,
        _ members: inout [String: Setting]
    ) {
        guard let list = writer.exceptionalFlags(rule, flags) else { return }
        members[list.name] = .array(
            flags.map { $0 ? list.equals ?? .bool(true) : list.otherwise ?? .bool(false) })
    }

    /// Loaders of the Hub tell real numbers from whole ones. What attention is scaled by is whole with some families.
    private static func isReal(_ field: String) -> Bool {
        FieldName(rawValue: field).map { $0.isReal && $0 != .attentionScale } ?? false
    }

    private static func setting(_ value: Double) -> Setting {
        value == value.rounded() && abs(value) < 1e15 ? .integer(Int(value)) : .number(value)
    }

    private static func scaling(_ rotary: ModelConfiguration.Rotary) -> Setting {
        switch rotary.scaling {
        case .none: return .null
        case .linear(let factor): return .object(["rope_type": .string("linear"), "factor": .number(factor)])
        case .llama3(let factor, let low, let high, let context):
            return .object([
                "rope_type": .string("llama3"), "factor": .number(factor), "low_freq_factor": .number(low),
                "high_freq_factor": .number(high), "original_max_position_embeddings": .integer(context),
            ])
        case .factors(let divisors):
            guard let (factor, low, high, context) = llama3Parameters(rotary, divisors) else { return .null }
            return scaling(
                .init(
                    base: rotary.base, dimension: rotary.dimension,
                    scaling: .llama3(factor: factor, lowFactor: low, highFactor: high, originalContext: context)))
        case .longRope(let short, let long, let context):
            return .object([
                "rope_type": .string("longrope"), "short_factor": .array(short.map { .number($0) }),
                "long_factor": .array(long.map { .number($0) }),
                "original_max_position_embeddings": .integer(context),
                "attention_factor": .number(rotary.magnitude),
            ])
        case .yarn(let factor, let context, let fast, let slow, _):
            return .object([
                "rope_type": .string("yarn"), "factor": .number(factor),
                "original_max_position_embeddings": .integer(context), "beta_fast": .number(fast),
                "beta_slow": .number(slow), "attention_factor": .number(rotary.magnitude),
            ])
        }
    }

    /// The parameters of Llama 3.1's formula that give these divisors to the bit, among those in use.
    private static func llama3Parameters(
        _ rotary: ModelConfiguration.Rotary, _ divisors: [Double]
    ) -> (factor: Double, low: Double, high: Double, context: Int)? {
        guard let factor = divisors.max() else { return nil }
        for shift in 5...17 {
            let context = 1 << shift
            let graph = ModelConfiguration.Rotary(
                base: rotary.base, dimension: rotary.dimension,
                scaling: .llama3(factor: factor, lowFactor: 1, highFactor: 4, originalContext: context))
            let found = llama3Divisors(graph, factor: Float(factor), low: 1, high: 4, context: Float(context))
            if found == divisors.map({ Float($0) }) { return (factor, 1, 4, context) }
        }
        return nil
    }
}
