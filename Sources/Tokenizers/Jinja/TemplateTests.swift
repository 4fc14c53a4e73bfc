/// `value is name(operands)`.
enum TemplateTests {
    static func holds(
        _ name: String, _ value: TemplateValue, _ operands: [TemplateValue], _ line: Int
    ) throws(TokenizerError) -> Bool {
        func operand() throws(TokenizerError) -> TemplateValue {
            guard let operand = operands.first else {
                throw .templateFailed(line: line, reason: "the test \"\(name)\" needs a value to test against")
            }
            return operand
        }
        func integer() throws(TokenizerError) -> Int {
            guard let integer = value.integer else {
                throw .templateFailed(line: line, reason: "the test \"\(name)\" on \(value.typeName)")
            }
            return integer
        }
        switch name {
        case "defined": return !value.isUndefined
        case "undefined": return value.isUndefined
        case "none": if case .none = value { return true } else { return false }
        case "string": if case .string = value { return true } else { return false }
        case "mapping":
            if case .dictionary = value { return true } else { return false }
        case "sequence", "iterable":
            if case .undefined = value { return true }
            return value.sequence != nil
        case "number": return value.number != nil
        case "integer": if case .int = value { return true } else { return false }
        case "float": if case .double = value { return true } else { return false }
        case "boolean": if case .bool = value { return true } else { return false }
        case "true": if case .bool(true) = value { return true } else { return false }
        case "false": if case .bool(false) = value { return true } else { return false }
        case "callable": if case .callable = value { return true } else { return false }
        case "odd": return try integer() % 2 != 0
        case "even": return try integer() % 2 == 0
        case "divisibleby":
            guard let divisor = try operand().integer, divisor != 0 else {
                throw .templateFailed(line: line, reason: "divisible by zero, or by no number")
            }
            return divisor == -1 ? true : try integer() % divisor == 0
        case "lower":
            return value.text.unicodeScalars.contains(where: \.properties.isCased)
                && value.text == value.text.lowercased()
        case "upper":
            return value.text.unicodeScalars.contains(where: \.properties.isCased)
                && value.text == value.text.uppercased()
        case "in": return try TemplateArithmetic.contains(try operand(), value, line)
        case "eq", "equalto", "==": return value.equals(try operand())
        case "sameas":
            let other = try operand()
            return value.typeName == other.typeName && value.equals(other)
        case "ne", "!=": return !value.equals(try operand())
        case "lt", "lessthan", "<": return try TemplateArithmetic.compare("<", value, try operand(), line)
        case "gt", "greaterthan", ">": return try TemplateArithmetic.compare(">", value, try operand(), line)
        case "le", "<=": return try TemplateArithmetic.compare("<=", value, try operand(), line)
        case "ge", ">=": return try TemplateArithmetic.compare(">=", value, try operand(), line)
        default: throw .templateUnsupported(line: line, what: "the test \"\(name)\"")
        }
    }
}
