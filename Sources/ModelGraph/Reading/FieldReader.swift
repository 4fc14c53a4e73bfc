/// Evaluates a description's fields over one model's settings, and remembers everything that is wrong with them.
struct FieldReader {
    let architecture: Architecture
    let settings: Settings
    private(set) var problems: [ModelProblem] = []
    private var known: [String: Double?] = [:]
    private var open: Set<String> = []

    init(_ architecture: Architecture, _ settings: Settings) {
        self.architecture = architecture
        self.settings = settings
    }

    mutating func report(_ rule: ModelProblem.Rule, _ subject: String, _ message: String) {
        let problem = ModelProblem(rule, settings.spelled(subject), message)
        if !problems.contains(problem) { problems.append(problem) }
    }

    /// The value of a named field; `nil` when it has none or is wrong, which is then among the problems.
    mutating func value(_ name: String) -> Double? {
        if let value = known[name] { return value }
        guard let rule = architecture.fields[name] else {
            report(.constraint, name, "an expression uses it, but the description has no such field")
            return nil
        }
        guard open.insert(name).inserted else {
            report(.constraint, name, "its default depends on itself")
            return nil
        }
        defer { open.remove(name) }
        let value = checked(self.value(of: rule, named: name), FieldName(rawValue: name), named: name)
        known[name] = .some(value)
        return value
    }

    mutating func value(_ field: FieldName) -> Double? { value(field.rawValue) }

    mutating func integer(_ field: FieldName) -> Int? { value(field).map { Int($0) } }

    mutating func value(of rule: Architecture.FieldRule, named name: String) -> Double? {
        let source = settings.dialect == .hub ? rule.hub : rule.gguf
        if let source, isInForce(source), let (found, setting) = settings.first(of: source.names) {
            guard let number = number(setting) else {
                report(.settingKind, found, "expected a number, found \(setting)")
                return nil
            }
            guard let read = source.read else { return number }
            return evaluate(read, extra: ["value": number])
        }
        if let expression = rule.default { return evaluate(expression) }
        if rule.optional != true {
            let looked = source?.names.first ?? name
            report(.settingMissing, looked, "required for family \(architecture.family), but absent")
        }
        return nil
    }

    /// One number, or a list of equal ones (GGUF states some settings for each layer).
    private func number(_ setting: Setting) -> Double? {
        if let number = setting.numberValue { return number }
        guard case .array(let values) = setting, let first = values.first?.numberValue,
            values.allSatisfy({ $0.numberValue == first })
        else { return nil }
        return first
    }

    private func isInForce(_ source: Architecture.FieldRule.Source) -> Bool {
        guard let name = source.when else { return true }
        return settings[name]?.numberValue.map { $0 != 0 } ?? false
    }

    private mutating func checked(_ value: Double?, _ field: FieldName?, named name: String) -> Double? {
        guard let value else { return nil }
        guard value.isFinite else {
            report(.settingRange, name, "comes to \(value)")
            return nil
        }
        guard let field else { return value }
        // Zero switches an optional limit off.
        if value == 0, architecture.fields[name]?.optional == true { return nil }
        guard field.limits.contains(value) else {
            report(
                .settingRange, name,
                "\(text(value)) is outside \(text(field.limits.lowerBound)) to \(text(field.limits.upperBound))")
            return nil
        }
        guard field.isReal || value == value.rounded() else {
            report(.settingRange, name, "must be a whole number, but comes to \(value)")
            return nil
        }
        return value
    }

    private func text(_ value: Double) -> String {
        value == value.rounded() && abs(value) < 1e15 ? "\(Int(value))" : "\(value)"
    }

    mutating func evaluate(_ expression: Expression, extra: [String: Double] = [:]) -> Double? {
        var reader = self
        let value = expression.value { extra[$0] ?? reader.value($0) }
        self = reader
        return value
    }

    /// A truth for each layer.
    mutating func flags(_ flag: Architecture.LayerRules.Flag, layers: Int, named name: String) -> [Bool]? {
        let list = settings.dialect == .hub ? flag.hub : flag.gguf
        if let list, let setting = settings[list.name] {
            if case .array(let values) = setting {
                // transformers reads the first entries of a longer list.
                guard values.count >= layers else {
                    report(.layerList, list.name, "has \(values.count) entries for \(layers) layers")
                    return nil
                }
                return values.prefix(layers).map { list.means($0) }
            }
            // GGUF may state a period instead: the last layer of each is the exception.
            if let period = setting.numberValue, settings.dialect == .gguf, period >= 1, period <= 4096 {
                return (0..<layers).map { ($0 + 1) % Int(period) != 0 }
            }
            report(.layerList, list.name, "expected a list with an entry for each layer, found \(setting)")
            return nil
        }
        return (0..<layers).map { evaluate(flag.default, extra: ["layer": Double($0)]).map { $0 != 0 } ?? false }
    }
}

extension Architecture.LayerRules.Flag.List {
    func means(_ entry: Setting) -> Bool {
        if let equals {
            return entry == equals || (entry.numberValue != nil && entry.numberValue == equals.numberValue)
        }
        return entry.numberValue.map { $0 != 0 } ?? false
    }
}
