extension TemplateValue {
    var isTrue: Bool {
        switch self {
        case .undefined, .none: false
        case .bool(let value): value
        case .int(let value): value != 0
        case .double(let value): value != 0
        case .string(let text): !text.isEmpty
        case .list(let elements): !elements.isEmpty
        case .dictionary(let members): members.count > 0
        case .callable, .namespace: true
        }
    }

    var isUndefined: Bool { if case .undefined = self { true } else { false } }

    /// Python's name of the type, for messages.
    var typeName: String {
        switch self {
        case .undefined(let name): name.isEmpty ? "an undefined value" : "\"\(name)\", which is undefined"
        case .none: "None"
        case .bool: "a truth value"
        case .int, .double: "a number"
        case .string: "a string"
        case .list: "a list"
        case .dictionary: "a mapping"
        case .callable: "a function"
        case .namespace: "a namespace"
        }
    }

    /// As `{{ … }}` prints it: Python's str.
    var text: String {
        switch self {
        case .undefined: ""
        case .string(let text): text
        default: representation
        }
    }

    /// Python's repr.
    var representation: String {
        switch self {
        case .undefined: "Undefined"
        case .none: "None"
        case .bool(let value): value ? "True" : "False"
        case .int(let value): String(value)
        case .double(let value): Self.text(value)
        case .string(let text): Self.quoted(text)
        case .list(let elements): "[" + elements.map(\.representation).joined(separator: ", ") + "]"
        case .dictionary(let dictionary):
            "{"
                + dictionary.members.map { "\(Self.quoted($0.key)): \($0.value.representation)" }
                .joined(separator: ", ") + "}"
        case .callable(let callable): "<function \(callable.name)>"
        case .namespace: "<Namespace>"
        }
    }

    static func text(_ value: Double) -> String {
        if value.isNaN { return "nan" }
        if value.isInfinite { return value < 0 ? "-inf" : "inf" }
        return "\(value)"
    }

    private static func quoted(_ text: String) -> String {
        let quote: Unicode.Scalar = text.contains("'") && !text.contains("\"") ? "\"" : "'"
        var result = String(quote)
        for scalar in text.unicodeScalars {
            switch scalar {
            case quote, "\\": result += "\\" + String(scalar)
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            case _ where scalar.value < 0x20 || scalar.value == 0x7F:
                result += "\\x" + (scalar.value < 16 ? "0" : "") + String(scalar.value, radix: 16)
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + String(quote)
    }

    /// `nil` where Python would not compare the two.
    func isLess(than other: TemplateValue) -> Bool? {
        switch (self, other) {
        case (.string(let one), .string(let two)):
            return one.unicodeScalars.lexicographicallyPrecedes(two.unicodeScalars)
        case (.list(let one), .list(let two)):
            for (left, right) in zip(one, two) where !left.equals(right) { return left.isLess(than: right) }
            return one.count < two.count
        default:
            guard let one = number, let two = other.number else { return nil }
            return one < two
        }
    }

    func equals(_ other: TemplateValue) -> Bool {
        switch (self, other) {
        case (.undefined, .undefined), (.none, .none): return true
        case (.string(let one), .string(let two)): return one.unicodeScalars.elementsEqual(two.unicodeScalars)
        case (.list(let one), .list(let two)):
            return one.count == two.count && zip(one, two).allSatisfy { $0.equals($1) }
        case (.dictionary(let one), .dictionary(let two)):
            return one.count == two.count
                && one.members.allSatisfy { member in two[member.key].map { member.value.equals($0) } ?? false }
        case (.namespace(let one), .namespace(let two)): return one === two
        default:
            guard let one = number, let two = other.number else { return false }
            return one == two
        }
    }

    var number: Double? {
        switch self {
        case .bool(let value): value ? 1 : 0
        case .int(let value): Double(value)
        case .double(let value): value
        default: nil
        }
    }

    /// A whole number, also true and false.
    var integer: Int? {
        switch self {
        case .bool(let value): value ? 1 : 0
        case .int(let value): value
        default: nil
        }
    }

    /// What a loop over it yields; `nil` for what cannot be looped over.
    var sequence: [TemplateValue]? {
        switch self {
        case .undefined: []
        case .list(let elements): elements
        case .string(let text): text.unicodeScalars.map { .string(String($0)) }
        case .dictionary(let dictionary): dictionary.keys.map { .string($0) }
        default: nil
        }
    }
}
