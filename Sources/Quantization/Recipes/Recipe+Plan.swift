import Kernels
import ModelGraph
import TensorFiles

/// A type by name: a preset's mixture, one type, or what the tensor is already.
enum TypeChoice: Hashable {
    case preset(Preset)
    case type(ElementType)
    case keep

    init(_ name: String) throws(QuantizationError) {
        if name.lowercased() == "keep" {
            self = .keep
        } else if let preset = Preset(name: name) {
            self = .preset(preset)
        } else if let type = ElementType(anyCase: name) {
            guard BlockCodec.canEncode(type, .search) else { throw .unwritableType(type.rawValue) }
            self = .type(type)
        } else if HubLayout.names.contains(name.lowercased()) {
            throw .layoutInRecipe(name)
        } else {
            throw .unknownType(name, nearest: QuantizationError.nearest(to: name.lowercased(), among: Self.names))
        }
    }

    static let names: [String] =
        (Preset.allCases.map(\.rawValue)
        + ElementType.allCases.filter { BlockCodec.canEncode($0, .search) }.map { $0.rawValue.lowercased() })
        .reduce(into: ["keep"]) { if !$0.contains($1) { $0.append($1) } }
}

extension TypePlan {
    /// A plan from a recipe. Throws for a name that nothing has and for a rule that is about no tensor.
    public init(
        recipe: Recipe, _ subjects: [QuantizationSubject], _ context: QuantizationContext
    ) throws(QuantizationError) {
        let chooser = TypeChooser(subjects, context)
        let base = try TypeChoice(recipe.base)
        let rules = try recipe.rules.enumerated().map { (index, rule) throws(QuantizationError) in
            try PreparedRule(rule, number: index + 1, base: base, context)
        }
        var used = Set<Int>()
        entries = subjects.map { subject in
            let index = rules.firstIndex { $0.matches(subject) }
            for (candidate, rule) in rules.enumerated() where rule.matches(subject) { used.insert(candidate) }
            let choice = index.map { rules[$0].choice } ?? base
            let method = index.flatMap { rules[$0].rule.method } ?? recipe.method
            let reason = index.map { "rule \($0 + 1)" } ?? "base \(recipe.base)"
            switch choice {
            case .keep:
                return Entry(
                    subject: subject, type: TypeChooser.keptType(subject), reason: reason, method: .nearest)
            case .preset(let preset):
                return chooser.entry(
                    subject, wanted: chooser.type(of: subject, in: preset), reason: reason, method: method)
            case .type(let type): return chooser.entry(subject, wanted: type, reason: reason, method: method)
            }
        }
        if case .preset(let preset) = base { fileType = preset.fileType }
        for (index, rule) in rules.enumerated() where !used.contains(index) {
            let names = subjects.map(\.name)
            let wanted = rule.rule.names.map { $0.filter { $0 != "*" } } ?? ""
            throw .ruleMatchesNothing(
                rule: index + 1, description: rule.rule.description,
                nearest: wanted.isEmpty ? [] : QuantizationError.nearest(to: wanted, among: names))
        }
    }
}

private struct PreparedRule {
    let rule: Recipe.Rule
    let choice: TypeChoice
    let layers: LayerSet?
    let names: NamePattern?

    init(
        _ rule: Recipe.Rule, number: Int, base: TypeChoice, _ context: QuantizationContext
    ) throws(QuantizationError) {
        self.rule = rule
        for role in rule.roles where !Recipe.Rule.roleNames.contains(role) {
            throw .unknownRole(
                rule: number, name: role, nearest: QuantizationError.nearest(to: role, among: Recipe.Rule.roleNames))
        }
        if let text = rule.layers {
            guard let set = LayerSet(text, count: context.layerCount) else {
                throw .badRule(rule: number, "\"\(text)\" is no list of layers such as 0-3,8,-2-")
            }
            layers = set
        } else {
            layers = nil
        }
        names = rule.names.map(NamePattern.init)
        choice = try rule.type.map(TypeChoice.init) ?? base
        if rule.type == nil, rule.method == nil {
            throw .badRule(rule: number, "it sets neither a type nor a method")
        }
    }

    func matches(_ subject: QuantizationSubject) -> Bool { rule.matches(subject, layers: layers, names: names) }
}
