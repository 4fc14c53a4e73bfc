/// Methods of strings and mappings.
enum TemplateMethods {
    typealias Scalars = [Unicode.Scalar]

    static func method(_ name: String, of object: TemplateValue) -> TemplateValue? {
        switch object {
        case .string(let text):
            guard let body = stringMethod(name, Array(text.unicodeScalars), text) else { return nil }
            return .callable(TemplateCallable(name: name, body: .native(body)))
        case .dictionary(let members):
            guard let body = dictionaryMethod(name, members) else { return nil }
            return .callable(TemplateCallable(name: name, body: .native(body)))
        case .list(let elements):
            guard let body = listMethod(name, elements) else { return nil }
            return .callable(TemplateCallable(name: name, body: .native(body)))
        default: return nil
        }
    }

    typealias Body = @Sendable (TemplateArguments) throws(TokenizerError) -> TemplateValue

    private static func dictionaryMethod(_ name: String, _ members: TemplateDictionary) -> Body? {
        switch name {
        case "items": return { _ in .list(members.members.map { .list([.string($0.key), $0.value]) }) }
        case "keys": return { _ in .list(members.keys.map { .string($0) }) }
        case "values": return { _ in .list(members.members.map(\.value)) }
        case "get":
            return { arguments in members[arguments.value(0)?.text ?? ""] ?? arguments.value(1, "default") ?? .none }
        case "copy": return { _ in .dictionary(members) }
        case "update", "pop", "clear", "setdefault", "popitem":
            return { (arguments) throws(TokenizerError) in throw arguments.failure("a mapping cannot be changed") }
        default: return nil
        }
    }

    private static func listMethod(_ name: String, _ elements: [TemplateValue]) -> Body? {
        switch name {
        case "count": return { arguments in .int(elements.count { $0.equals(arguments.value(0) ?? .none) }) }
        case "index":
            return { (arguments) throws(TokenizerError) in
                guard let index = elements.firstIndex(where: { $0.equals(arguments.value(0) ?? .none) }) else {
                    throw arguments.failure("the list has no such element")
                }
                return .int(index)
            }
        case "copy": return { _ in .list(elements) }
        case "append", "extend", "insert", "pop", "remove", "clear", "sort", "reverse":
            return { (arguments) throws(TokenizerError) in throw arguments.failure("a list cannot be changed") }
        default: return nil
        }
    }

    static func find(_ part: Scalars, in text: Scalars, from start: Int = 0) -> Int? {
        guard part.count <= text.count, start <= text.count - part.count else { return nil }
        guard let first = part.first else { return start }
        for place in start...text.count - part.count
        where text[place] == first && text[place..<place + part.count].elementsEqual(part) {
            return place
        }
        return nil
    }

    static func string(_ scalars: some Sequence<Unicode.Scalar>) -> TemplateValue {
        var view = String.UnicodeScalarView()
        view.append(contentsOf: scalars)
        return .string(String(view))
    }

    /// `nil` strips white space; otherwise any of the characters.
    static func strip(_ text: Scalars, _ characters: TemplateValue?, left: Bool, right: Bool) -> TemplateValue {
        var set: Set<Unicode.Scalar>?
        if case .string(let characters)? = characters { set = Set(characters.unicodeScalars) }
        func goes(_ scalar: Unicode.Scalar) -> Bool {
            set?.contains(scalar) ?? (scalar.properties.isWhitespace || (0x1C...0x1F).contains(scalar.value))
        }
        var rest = text[...]
        if left { rest = rest.drop(while: goes) }
        while right, let last = rest.last, goes(last) { rest.removeLast() }
        return string(rest)
    }

    static func split(_ text: Scalars, _ separator: Scalars, limit: Int) -> [Scalars] {
        var parts: [Scalars] = []
        var start = 0
        while limit < 0 || parts.count < limit, let place = find(separator, in: text, from: start) {
            parts.append(Array(text[start..<place]))
            start = place + separator.count
        }
        return parts + [Array(text[start...])]
    }

    static func splitOnSpace(_ text: Scalars, limit: Int) -> [Scalars] {
        var parts: [Scalars] = []
        var rest = text.drop { $0.properties.isWhitespace }
        while !rest.isEmpty {
            if limit >= 0, parts.count == limit {
                while let last = rest.last, last.properties.isWhitespace { rest.removeLast() }
                parts.append(Array(rest))
                break
            }
            let word = rest.prefix { !$0.properties.isWhitespace }
            parts.append(Array(word))
            rest = rest.dropFirst(word.count).drop { $0.properties.isWhitespace }
        }
        return parts
    }

    static func replace(_ text: Scalars, _ old: Scalars, _ new: Scalars, limit: Int) -> Scalars {
        if old.isEmpty {
            var result: Scalars = []
            var left = limit < 0 ? Int.max : limit
            for scalar in text {
                if left > 0 {
                    result += new
                    left -= 1
                }
                result.append(scalar)
            }
            return left > 0 ? result + new : result
        }
        return Array(split(text, old, limit: limit).joined(separator: new))
    }

    static func capitalized(_ text: String) -> String {
        guard let first = text.unicodeScalars.first else { return text }
        var rest = String.UnicodeScalarView(text.unicodeScalars.dropFirst())
        rest.insert(contentsOf: [], at: rest.startIndex)
        return first.properties.titlecaseMapping + String(rest).lowercased()
    }

    static func titled(_ text: String) -> String {
        var result = ""
        var afterLetter = false
        for scalar in text.unicodeScalars {
            let isLetter = scalar.properties.isCased
            result += afterLetter ? scalar.properties.lowercaseMapping : scalar.properties.titlecaseMapping
            afterLetter = isLetter
        }
        return result
    }
}
