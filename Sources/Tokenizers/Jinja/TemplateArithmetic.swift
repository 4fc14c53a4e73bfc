import Foundation

/// Operators, as Python's.
enum TemplateArithmetic {
    static func apply(
        _ operation: String, _ left: TemplateValue, _ right: TemplateValue, _ line: Int
    ) throws(TokenizerError) -> TemplateValue {
        func failure(_ reason: String? = nil) -> TokenizerError {
            .templateFailed(
                line: line, reason: reason ?? "\(left.typeName) \(operation) \(right.typeName)")
        }
        switch (operation, left, right) {
        case ("~", _, _): return .string(left.text + right.text)
        case ("+", .string(let one), .string(let two)): return .string(one + two)
        case ("+", .list(let one), .list(let two)): return .list(one + two)
        case ("*", .string(let text), .int(let count)), ("*", .int(let count), .string(let text)):
            guard count <= 0 || text.utf8.count <= (16 << 20) / max(1, count) else {
                throw failure("too long a string")
            }
            return .string(String(repeating: text, count: max(0, count)))
        case ("*", .list(let elements), .int(let count)):
            guard count <= 0 || elements.count <= 1_000_000 / max(1, count) else { throw failure("too long a list") }
            return .list(Array(repeatElement(elements, count: max(0, count)).joined()))
        case ("%", .string(let format), _): return .string(try formatted(format, right, failure()))
        default: break
        }
        if let one = left.integer, let two = right.integer, operation != "/" {
            return try integers(operation, one, two, failure)
        }
        guard let one = left.number, let two = right.number else { throw failure() }
        if two == 0, ["/", "//", "%"].contains(operation) { throw failure("division by zero") }
        switch operation {
        case "+": return .double(one + two)
        case "-": return .double(one - two)
        case "*": return .double(one * two)
        case "/": return .double(one / two)
        case "//": return .double((one / two).rounded(.down))
        case "%": return .double(one - (one / two).rounded(.down) * two)
        case "**": return .double(pow(one, two))
        default: throw failure()
        }
    }

    private static func integers(
        _ operation: String, _ one: Int, _ two: Int, _ failure: (String?) -> TokenizerError
    ) throws(TokenizerError) -> TemplateValue {
        if two == 0, operation == "//" || operation == "%" { throw failure("division by zero") }
        let result: (partialValue: Int, overflow: Bool)
        switch operation {
        case "+": result = one.addingReportingOverflow(two)
        case "-": result = one.subtractingReportingOverflow(two)
        case "*": result = one.multipliedReportingOverflow(by: two)
        case "//":
            let quotient = one.dividedReportingOverflow(by: two)
            let rounds = !quotient.overflow && quotient.partialValue * two != one && (one < 0) != (two < 0)
            result = (quotient.partialValue - (rounds ? 1 : 0), quotient.overflow)
        case "%":
            let rest = one.remainderReportingOverflow(dividingBy: two)
            result = (
                rest.partialValue != 0 && (rest.partialValue < 0) != (two < 0)
                    ? rest.partialValue + two : rest.partialValue, rest.overflow
            )
        case "**":
            guard two >= 0 else { return .double(pow(Double(one), Double(two))) }
            guard two <= 63 || one.magnitude <= 1 else { throw failure("too large a number") }
            var product = (partialValue: 1, overflow: false)
            for _ in 0..<min(two, 64) {
                let next = product.partialValue.multipliedReportingOverflow(by: one)
                product = (next.partialValue, product.overflow || next.overflow)
            }
            result = product
        default: throw failure(nil)
        }
        guard !result.overflow else { throw failure("too large a number") }
        return .int(result.partialValue)
    }

    static func compare(
        _ operation: String, _ left: TemplateValue, _ right: TemplateValue, _ line: Int
    ) throws(TokenizerError) -> Bool {
        switch operation {
        case "==": return left.equals(right)
        case "!=": return !left.equals(right)
        case "in": return try contains(right, left, line)
        case "not in": return try !contains(right, left, line)
        default:
            let swapped = operation == ">" || operation == "<="
            guard let less = swapped ? right.isLess(than: left) : left.isLess(than: right) else {
                throw .templateFailed(
                    line: line, reason: "\(left.typeName) \(operation) \(right.typeName) cannot be compared")
            }
            return operation == "<" || operation == ">" ? less : !less
        }
    }

    static func contains(
        _ container: TemplateValue, _ item: TemplateValue, _ line: Int
    ) throws(TokenizerError) -> Bool {
        switch (container, item) {
        case (.string(let text), .string(let part)):
            return part.isEmpty
                || TemplateMethods.find(Array(part.unicodeScalars), in: Array(text.unicodeScalars)) != nil
        case (.list(let elements), _): return elements.contains { $0.equals(item) }
        case (.dictionary(let members), _): return members[item.text] != nil
        case (.undefined, _): return false
        default:
            throw .templateFailed(line: line, reason: "\(item.typeName) in \(container.typeName)")
        }
    }

    /// `"…" % value` with %s, %d and %%.
    private static func formatted(
        _ format: String, _ value: TemplateValue, _ failure: TokenizerError
    ) throws(TokenizerError) -> String {
        var values: [TemplateValue] = [value]
        if case .list(let elements) = value { values = elements }
        var result = ""
        var rest = values[...]
        var scalars = Array(format.unicodeScalars)[...]
        while let scalar = scalars.popFirst() {
            guard scalar == "%" else {
                result.unicodeScalars.append(scalar)
                continue
            }
            switch scalars.popFirst() {
            case "%": result += "%"
            case "s", "d", "i":
                guard let next = rest.popFirst() else { throw failure }
                result += next.text
            default: throw failure
            }
        }
        return result
    }
}
