extension TemplateInterpreter {
    mutating func apply(
        _ filter: TemplateFilterCall, to value: TemplateValue, _ scope: TemplateScope
    ) throws(TokenizerError) -> TemplateValue {
        try step(filter.line)
        let arguments = try evaluate(filter.arguments, scope, filter.line)
        switch filter.name {
        case "map": return .list(try map(value, arguments, scope))
        case "select", "reject", "selectattr", "rejectattr":
            return .list(try select(filter.name, value, arguments))
        default: return try TemplateFilters.apply(filter.name, value, arguments)
        }
    }

    private mutating func map(
        _ value: TemplateValue, _ arguments: TemplateArguments, _ scope: TemplateScope
    ) throws(TokenizerError) -> [TemplateValue] {
        let elements = try TemplateFilters.elements(value, arguments)
        var result: [TemplateValue] = []
        if let attribute = arguments.named["attribute"] {
            for element in elements {
                let found = TemplateFilters.attribute(element, attribute)
                result.append(found.isUndefined ? arguments.named["default"] ?? found : found)
            }
            return result
        }
        guard case .string(let name)? = arguments.positional.first else {
            throw arguments.failure("map takes a filter's name or an attribute")
        }
        let rest = TemplateCallArguments(
            positional: arguments.positional.dropFirst().map { .literal($0) },
            named: arguments.named.map { ($0.key, .literal($0.value)) })
        let call = TemplateFilterCall(name: name, arguments: rest, line: arguments.line)
        for element in elements { result.append(try apply(call, to: element, scope)) }
        return result
    }

    private func select(
        _ name: String, _ value: TemplateValue, _ arguments: TemplateArguments
    ) throws(TokenizerError) -> [TemplateValue] {
        var operands = arguments.positional[...]
        let byAttribute = name.hasSuffix("attr")
        var attribute = TemplateValue.none
        if byAttribute {
            guard let given = operands.popFirst() else { throw arguments.failure("\(name) takes an attribute") }
            attribute = given
        }
        let test = operands.popFirst()?.text
        var result: [TemplateValue] = []
        for element in try TemplateFilters.elements(value, arguments) {
            let subject = byAttribute ? TemplateFilters.attribute(element, attribute) : element
            let holds =
                try test.map { (test) throws(TokenizerError) in
                    try TemplateTests.holds(test, subject, Array(operands), arguments.line)
                } ?? subject.isTrue
            if holds == name.hasPrefix("select") { result.append(element) }
        }
        return result
    }
}

/// Filters that need nothing but their value and arguments.
enum TemplateFilters {
    static func elements(
        _ value: TemplateValue, _ arguments: TemplateArguments
    ) throws(TokenizerError) -> [TemplateValue] {
        guard let elements = value.sequence else { throw arguments.failure("\(value.typeName) is no list") }
        return elements
    }

    /// "a.b" of a mapping, or an element by its number.
    static func attribute(_ value: TemplateValue, _ attribute: TemplateValue) -> TemplateValue {
        var value = value
        for part in attribute.text.split(separator: ".") {
            switch value {
            case .dictionary(let members): value = members[String(part)] ?? .undefined(String(part))
            case .namespace(let namespace): value = namespace.members[String(part)] ?? .undefined(String(part))
            case .list(let elements):
                guard let index = Int(part), elements.indices.contains(index) else { return .undefined(String(part)) }
                value = elements[index]
            default: return .undefined(String(part))
            }
        }
        return value
    }

    static func apply(
        _ name: String, _ value: TemplateValue, _ arguments: TemplateArguments
    ) throws(TokenizerError) -> TemplateValue {
        let scalars = Array(value.text.unicodeScalars)
        switch name {
        case "trim": return TemplateMethods.strip(scalars, arguments.value(0, "chars"), left: true, right: true)
        case "upper": return .string(value.text.uppercased())
        case "lower": return .string(value.text.lowercased())
        case "title": return .string(TemplateMethods.titled(value.text))
        case "capitalize": return .string(TemplateMethods.capitalized(value.text))
        case "string": return .string(value.text)
        case "safe": return value
        case "replace":
            guard let old = arguments.value(0, "old"), let new = arguments.value(1, "new") else {
                throw arguments.failure("replace takes what to replace, and with what")
            }
            return TemplateMethods.string(
                TemplateMethods.replace(
                    scalars, Array(old.text.unicodeScalars), Array(new.text.unicodeScalars),
                    limit: arguments.value(2, "count")?.integer ?? -1))
        case "escape", "e":
            var text = value.text
            for (plain, escaped) in [("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("'", "&#39;"), ("\"", "&#34;")] {
                text = text.split(separator: plain, omittingEmptySubsequences: false).joined(separator: escaped)
            }
            return .string(text)
        case "indent": return indented(value.text, arguments)
        case "tojson": return try json(value, arguments)
        case "default", "d":
            let standard = arguments.value(0, "default_value") ?? ""
            let alsoFalse = arguments.value(1, "boolean")?.isTrue ?? false
            return value.isUndefined || alsoFalse && !value.isTrue ? standard : value
        case "int":
            if let integer = value.integer { return .int(integer) }
            let standard = arguments.value(0, "default") ?? .int(0)
            if let number = value.number {
                return number.magnitude < 9e18 ? .int(Int(number.rounded(.towardZero))) : standard
            }
            let text = TemplateMethods.strip(scalars, nil, left: true, right: true).text
            if let integer = Int(text) { return .int(integer) }
            guard let number = Double(text), number.magnitude < 9e18 else { return standard }
            return .int(Int(number.rounded(.towardZero)))
        case "float":
            if let number = value.number { return .double(number) }
            return Double(value.text).map { .double($0) } ?? arguments.value(0, "default") ?? .double(0)
        case "abs":
            if let integer = value.integer, integer != .min { return .int(abs(integer)) }
            guard let number = value.number else { throw arguments.failure("abs of \(value.typeName)") }
            return .double(number.magnitude)
        case "round":
            guard let number = value.number else { throw arguments.failure("round of \(value.typeName)") }
            var scale = 1.0
            for _ in 0..<max(0, min(15, arguments.value(0, "precision")?.integer ?? 0)) { scale *= 10 }
            let rule: FloatingPointRoundingRule =
                switch arguments.value(1, "method")?.text {
                case "ceil": .up
                case "floor": .down
                default: .toNearestOrEven
                }
            return .double((number * scale).rounded(rule) / scale)
        case "items":
            guard case .dictionary(let members) = value else {
                if value.isUndefined { return .list([]) }
                throw arguments.failure("items of \(value.typeName)")
            }
            return .list(members.members.map { .list([.string($0.key), $0.value]) })
        default: return try sequence(name, value, arguments)
        }
    }

    private static func indented(_ text: String, _ arguments: TemplateArguments) -> TemplateValue {
        let width = arguments.value(0, "width") ?? .int(4)
        let prefix = width.integer.map { String(repeating: " ", count: max(0, min(256, $0))) } ?? width.text
        let first = arguments.value(1, "first")?.isTrue ?? false
        let blank = arguments.value(2, "blank")?.isTrue ?? false
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        let result = lines.enumerated().map { index, line in
            (index == 0 ? first : blank || !line.isEmpty) ? prefix + line : String(line)
        }
        return .string(result.joined(separator: "\n"))
    }

    private static func json(
        _ value: TemplateValue, _ arguments: TemplateArguments
    ) throws(TokenizerError) -> TemplateValue {
        var separators: [String]?
        if case .list(let parts)? = arguments.named["separators"], parts.count == 2 { separators = parts.map(\.text) }
        let indent = arguments.named["indent"] ?? arguments.value(1) ?? .none
        var writer = TemplateJSON(
            indent: indent.integer, separators: separators,
            sortsKeys: arguments.named["sort_keys"]?.isTrue ?? false)
        guard writer.write(value) else { throw arguments.failure("\(value.typeName) cannot be written as JSON") }
        return .string(String(decoding: writer.bytes, as: UTF8.self))
    }
}
