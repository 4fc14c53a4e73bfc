extension TemplateMethods {
    static func stringMethod(_ name: String, _ scalars: Scalars, _ text: String) -> Body? {
        @Sendable func part(_ arguments: TemplateArguments, _ index: Int = 0) throws(TokenizerError) -> Scalars {
            guard case .string(let part)? = arguments.value(index) else {
                throw arguments.failure("\(name) takes a string")
            }
            return Array(part.unicodeScalars)
        }
        @Sendable func all(_ condition: (Unicode.Scalar.Properties) -> Bool) -> TemplateValue {
            .bool(!scalars.isEmpty && scalars.allSatisfy { condition($0.properties) })
        }
        switch name {
        case "upper": return { _ in .string(text.uppercased()) }
        case "lower", "casefold": return { _ in .string(text.lowercased()) }
        case "title": return { _ in .string(titled(text)) }
        case "capitalize": return { _ in .string(capitalized(text)) }
        case "strip": return { strip(scalars, $0.value(0, "chars"), left: true, right: true) }
        case "lstrip": return { strip(scalars, $0.value(0, "chars"), left: true, right: false) }
        case "rstrip": return { strip(scalars, $0.value(0, "chars"), left: false, right: true) }
        case "startswith", "endswith":
            return { (arguments) throws(TokenizerError) in
                guard let wanted = arguments.value(0) else { throw arguments.failure("\(name) takes a string") }
                var options = [wanted]
                if case .list(let several) = wanted { options = several }
                return .bool(
                    options.contains { option in
                        let part = option.text.unicodeScalars
                        return name == "startswith"
                            ? scalars.starts(with: part) : scalars.reversed().starts(with: part.reversed())
                    })
            }
        case "split", "rsplit":
            return { (arguments) throws(TokenizerError) in
                let limit = arguments.value(1, "maxsplit")?.integer ?? -1
                let separator = arguments.value(0, "sep") ?? .none
                let backward = name == "rsplit" && limit >= 0
                let source = backward ? Array(scalars.reversed()) : scalars
                var parts: [Scalars]
                if case .string(let text) = separator {
                    guard !text.isEmpty else { throw arguments.failure("an empty separator") }
                    let separator = Array(text.unicodeScalars)
                    parts = split(source, backward ? separator.reversed() : separator, limit: limit)
                } else {
                    parts = splitOnSpace(source, limit: limit)
                }
                if backward { parts = parts.reversed().map { $0.reversed() } }
                return .list(parts.map { string($0) })
            }
        case "splitlines":
            return { _ in
                var lines = split(
                    replace(scalars, ["\r", "\n"], ["\n"], limit: -1).map { $0 == "\r" ? "\n" : $0 }, ["\n"],
                    limit: -1)
                if lines.last?.isEmpty == true { lines.removeLast() }
                return .list(lines.map { string($0) })
            }
        case "partition", "rpartition":
            return { (arguments) throws(TokenizerError) in
                let separator = try part(arguments)
                let parts = split(scalars, separator, limit: -1)
                guard parts.count > 1, !separator.isEmpty else {
                    let whole = TemplateValue.string(text)
                    return .list(name == "partition" ? [whole, "", ""] : ["", "", whole])
                }
                if name == "partition" {
                    let rest = parts.dropFirst().joined(separator: separator)
                    return .list([string(parts[0]), string(separator), string(rest)])
                }
                let first = parts.dropLast().joined(separator: separator)
                return .list([string(first), string(separator), string(parts[parts.count - 1])])
            }
        case "replace":
            return { (arguments) throws(TokenizerError) in
                string(
                    replace(
                        scalars, try part(arguments), try part(arguments, 1),
                        limit: arguments.value(2, "count")?.integer ?? -1))
            }
        case "removeprefix":
            return { (arguments) throws(TokenizerError) in
                let prefix = try part(arguments)
                return string(scalars.starts(with: prefix) ? scalars.dropFirst(prefix.count) : scalars[...])
            }
        case "removesuffix":
            return { (arguments) throws(TokenizerError) in
                let suffix = try part(arguments)
                let ends = scalars.reversed().starts(with: suffix.reversed())
                return string(ends ? scalars.dropLast(suffix.count) : scalars[...])
            }
        case "find", "index":
            return { (arguments) throws(TokenizerError) in
                let place = find(try part(arguments), in: scalars)
                if place == nil, name == "index" { throw arguments.failure("the string has no such part") }
                return .int(place ?? -1)
            }
        case "rfind":
            return { (arguments) throws(TokenizerError) in
                let wanted = try part(arguments)
                guard let place = find(wanted.reversed(), in: scalars.reversed()) else { return .int(-1) }
                return .int(scalars.count - place - wanted.count)
            }
        case "count":
            return { (arguments) throws(TokenizerError) in
                let wanted = try part(arguments)
                return .int(wanted.isEmpty ? scalars.count + 1 : split(scalars, wanted, limit: -1).count - 1)
            }
        case "join":
            return { (arguments) throws(TokenizerError) in
                guard let parts = arguments.value(0)?.sequence else { throw arguments.failure("join takes a list") }
                return .string(parts.map(\.text).joined(separator: text))
            }
        case "isdigit", "isdecimal", "isnumeric":
            return { _ in all { $0.generalCategory == .decimalNumber || name != "isdecimal" && $0.numericType != nil }
            }
        case "isalpha": return { _ in all { TemplateMethods.isLetter($0) } }
        case "isalnum": return { _ in all { TemplateMethods.isLetter($0) || $0.numericType != nil } }
        case "isspace": return { _ in all { $0.isWhitespace } }
        case "isupper":
            return { _ in .bool(scalars.contains { $0.properties.isCased } && text == text.uppercased()) }
        case "islower":
            return { _ in .bool(scalars.contains { $0.properties.isCased } && text == text.lowercased()) }
        case "zfill", "ljust", "rjust", "center":
            return { (arguments) throws(TokenizerError) in
                guard let width = arguments.value(0)?.integer, width <= 1 << 20 else {
                    throw arguments.failure("\(name) takes a width")
                }
                let fill: Unicode.Scalar =
                    name == "zfill"
                    ? "0"
                    : try arguments.value(1).map { _ throws(TokenizerError) in try part(arguments, 1) }?.first ?? " "
                let missing = max(0, width - scalars.count)
                let left = name == "ljust" ? 0 : name == "center" ? missing / 2 + (missing & width & 1) : missing
                let hasSign = name == "zfill" && (scalars.first == "-" || scalars.first == "+")
                let sign = hasSign ? Array(scalars.prefix(1)) : []
                return string(
                    sign + Array(repeating: fill, count: left) + scalars.dropFirst(sign.count)
                        + Array(repeating: fill, count: missing - left))
            }
        default: return nil
        }
    }

    private static func isLetter(_ properties: Unicode.Scalar.Properties) -> Bool {
        switch properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: true
        default: false
        }
    }
}
