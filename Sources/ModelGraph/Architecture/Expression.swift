/// Arithmetic over a model's fields, as a family's description writes it: `(layer + 1) % 6 != 0`.
///
/// Numbers, names, `+ - * / %`, `^` (power, to the right), comparisons (1 or 0), parentheses and
/// `if(condition, then, else)`. Grammar: formats/architecture.md.
public struct Expression: Hashable, Sendable, CustomStringConvertible {
    indirect enum Node: Hashable, Sendable {
        case number(Double)
        case name(String)
        case binary(String, Node, Node)
        case choice(Node, Node, Node)
    }

    public let description: String
    let root: Node

    public enum ParseError: Error, Equatable { case unexpected(String, at: Int) }

    public init(_ text: String) throws {
        var parser = ExpressionParser(text)
        root = try parser.parse()
        description = text
    }

    public init(_ number: Double) {
        root = .number(number)
        description = "\(number)"
    }

    /// The names it depends on.
    public var names: Set<String> {
        var found: Set<String> = []
        func visit(_ node: Node) {
            switch node {
            case .number: break
            case .name(let name): found.insert(name)
            case .binary(_, let left, let right):
                visit(left)
                visit(right)
            case .choice(let condition, let first, let second):
                visit(condition)
                visit(first)
                visit(second)
            }
        }
        visit(root)
        return found
    }

    /// Its value; `nil` when a name has none. Division by zero gives an infinity or NaN, as arithmetic does.
    public func value(_ lookUp: (String) throws -> Double?) rethrows -> Double? {
        func value(_ node: Node) throws -> Double? {
            switch node {
            case .number(let number): return number
            case .name(let name): return try lookUp(name)
            case .choice(let condition, let first, let second):
                guard let test = try value(condition) else { return nil }
                return try value(test != 0 ? first : second)
            case .binary(let symbol, let left, let right):
                guard let a = try value(left), let b = try value(right) else { return nil }
                return Self.apply(symbol, a, b)
            }
        }
        return try value(root)
    }

    private static func apply(_ symbol: String, _ a: Double, _ b: Double) -> Double {
        switch symbol {
        case "+": a + b
        case "-": a - b
        case "*": a * b
        case "/": a / b
        case "%": a.truncatingRemainder(dividingBy: b)
        case "^": power(a, b)
        case "==": a == b ? 1 : 0
        case "!=": a != b ? 1 : 0
        case "<": a < b ? 1 : 0
        case "<=": a <= b ? 1 : 0
        case ">": a > b ? 1 : 0
        default: a >= b ? 1 : 0
        }
    }
}

extension Expression: Codable {
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let number = try? container.decode(Double.self) {
            self.init(number)
            return
        }
        let text = try container.decode(String.self)
        do {
            try self.init(text)
        } catch ParseError.unexpected(let found, let offset) {
            throw DecodingError.dataCorruptedError(
                in: container, debugDescription: "\"\(text)\": unexpected \(found) at character \(offset)")
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
