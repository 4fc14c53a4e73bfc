import TensorFiles

/// Turns a configuration back into a dialect's settings, by the same description that reads them.
struct SettingWriter {
    let architecture: Architecture
    let configuration: ModelConfiguration
    let dialect: Dialect
    /// Answers for fields that a configuration does not keep (a sliding period, the original context).
    private var source: FieldReader?

    init(_ graph: ModelGraph, _ architecture: Architecture, _ dialect: Dialect) {
        self.architecture = architecture
        self.configuration = graph.configuration
        self.dialect = dialect
        if let origin = graph.origin, let settings = origin.settings {
            source = FieldReader(origin.architecture, settings)
        }
    }

    /// The value of a field; `nil` when it has none.
    mutating func value(_ name: String) -> Double? {
        if FieldName(rawValue: name) != nil { return configuration.value(of: name) }
        if source?.architecture.fields[name] != nil, let value = source?.value(name) { return value }
        guard let rule = architecture.fields[name]?.default else { return nil }
        return evaluate(rule)
    }

    mutating func evaluate(_ expression: Expression, extra: [String: Double] = [:]) -> Double? {
        var writer = self
        let value = expression.value { extra[$0] ?? writer.value($0) }
        self = writer
        return value
    }

    /// What a field's setting gets in this dialect: names and the stored value.
    mutating func written(_ rule: Architecture.FieldRule, value: Double?) -> (names: [String], value: Double)? {
        guard let source = dialect == .hub ? rule.hub : rule.gguf, !source.written.isEmpty else { return nil }
        guard let value else { return source.absent.map { (source.written, $0) } }
        if source.omitsDefault, let usual = rule.default, let standard = evaluate(usual), standard == value {
            return nil
        }
        guard let write = source.write else { return (source.written, value) }
        return evaluate(write, extra: ["value": value]).map { (source.written, $0) }
    }

    /// The layers' truths when they differ from what the description's default says.
    mutating func exceptionalFlags(
        _ flag: Architecture.LayerRules.Flag, _ values: [Bool]
    ) -> Architecture.LayerRules.Flag.List? {
        guard let list = dialect == .hub ? flag.hub : flag.gguf else { return nil }
        let standard = values.indices.map {
            evaluate(flag.default, extra: ["layer": Double($0)]).map { $0 != 0 } ?? false
        }
        return standard == values ? nil : list
    }
}

extension ModelOrigin {
    /// The settings that the model was read from.
    var settings: Settings? {
        switch dialect {
        case .hub: config.map { Settings(hub: $0, file: folder + "/config.json") }
        case .gguf:
            checkpoint.flatMap { checkpoint in
                checkpoint.gguf?["general.architecture"]?.string.map { Settings(gguf: checkpoint, architecture: $0) }
            }
        }
    }
}
