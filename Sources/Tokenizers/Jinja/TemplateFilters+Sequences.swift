extension TemplateFilters {
    static func sequence(
        _ name: String, _ value: TemplateValue, _ arguments: TemplateArguments
    ) throws(TokenizerError) -> TemplateValue {
        switch name {
        case "length", "count":
            switch value {
            case .string(let text): return .int(text.unicodeScalars.count)
            case .undefined: return .int(0)
            default: return .int(try elements(value, arguments).count)
            }
        case "list": return .list(try elements(value, arguments))
        case "first": return try elements(value, arguments).first ?? .undefined("first")
        case "last": return try elements(value, arguments).last ?? .undefined("last")
        case "join":
            let separator = arguments.value(0, "d")?.text ?? ""
            var parts = try elements(value, arguments)
            if let name = arguments.value(1, "attribute") { parts = parts.map { attribute($0, name) } }
            return .string(parts.map(\.text).joined(separator: separator))
        case "reverse":
            if case .string(let text) = value { return TemplateMethods.string(text.unicodeScalars.reversed()) }
            return .list(try elements(value, arguments).reversed())
        case "unique":
            var kept: [TemplateValue] = []
            for element in try elements(value, arguments) where !kept.contains(where: { $0.equals(element) }) {
                kept.append(element)
            }
            return .list(kept)
        case "sum":
            var total = arguments.value(1, "start") ?? .int(0)
            for element in try elements(value, arguments) {
                let part = arguments.value(0, "attribute").map { attribute(element, $0) } ?? element
                total = try TemplateArithmetic.apply("+", total, part, arguments.line)
            }
            return total
        case "sort", "min", "max":
            let reverse = arguments.value(0, "reverse")?.isTrue ?? false
            let sorted = try sorted(try elements(value, arguments), by: arguments.named["attribute"], arguments)
            if name == "sort" { return .list(reverse ? sorted.reversed() : sorted) }
            return (name == "min" ? sorted.first : sorted.last) ?? .undefined(name)
        case "dictsort":
            guard case .dictionary(let members) = value else {
                throw arguments.failure("dictsort of \(value.typeName)")
            }
            let byValue = arguments.value(1, "by")?.text == "value"
            let pairs = members.members.map { TemplateValue.list([.string($0.key), $0.value]) }
            let sorted = try sorted(pairs, by: .int(byValue ? 1 : 0), arguments)
            return .list(arguments.value(2, "reverse")?.isTrue == true ? sorted.reversed() : sorted)
        case "batch":
            guard let size = arguments.value(0, "linecount")?.integer, size > 0 else {
                throw arguments.failure("batch takes a size")
            }
            let all = try elements(value, arguments)
            return .list(
                stride(from: 0, to: all.count, by: size).map { .list(Array(all[$0..<min($0 + size, all.count)])) })
        case "groupby":
            guard let key = arguments.value(0, "attribute") else {
                throw arguments.failure("groupby takes an attribute")
            }
            var groups: [(key: TemplateValue, items: [TemplateValue])] = []
            for element in try sorted(try elements(value, arguments), by: key, arguments) {
                let found = attribute(element, key)
                if let last = groups.last, last.key.equals(found) {
                    groups[groups.count - 1].items.append(element)
                } else {
                    groups.append((found, [element]))
                }
            }
            return .list(groups.map { .list([$0.key, .list($0.items)]) })
        case "attr": return attribute(value, arguments.value(0) ?? .none)
        default: throw .templateUnsupported(line: arguments.line, what: "the filter \"\(name)\"")
        }
    }

    /// Stable, letters without regard to case, as Jinja sorts.
    private static func sorted(
        _ elements: [TemplateValue], by key: TemplateValue?, _ arguments: TemplateArguments
    ) throws(TokenizerError) -> [TemplateValue] {
        let isSensitive = arguments.named["case_sensitive"]?.isTrue ?? false
        let keyed = elements.map { element -> (key: TemplateValue, value: TemplateValue) in
            let found = key.map { attribute(element, $0) } ?? element
            if case .string(let text) = found, !isSensitive { return (.string(text.lowercased()), element) }
            return (found, element)
        }
        for (one, two) in zip(keyed, keyed.dropFirst()) where one.key.isLess(than: two.key) == nil {
            throw arguments.failure("\(one.key.typeName) and \(two.key.typeName) have no order")
        }
        return keyed.enumerated().sorted { one, two in
            if one.element.key.isLess(than: two.element.key) == true { return true }
            if two.element.key.isLess(than: one.element.key) == true { return false }
            return one.offset < two.offset
        }.map(\.element.value)
    }
}
