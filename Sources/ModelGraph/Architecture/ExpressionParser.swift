import Foundation

func power(_ base: Double, _ exponent: Double) -> Double {
    exponent == 0.5 ? base.squareRoot() : exponent == -0.5 ? 1 / base.squareRoot() : pow(base, exponent)
}

/// Precedence climbing over the characters of an expression.
struct ExpressionParser {
    private let characters: [Character]
    private var position = 0
    private var depth = 0

    private static let levels: [[String]] = [
        ["==", "!=", "<=", ">=", "<", ">"], ["+", "-"], ["*", "/", "%"],
    ]

    init(_ text: String) { characters = Array(text) }

    mutating func parse() throws -> Expression.Node {
        guard characters.count <= 500 else { throw Expression.ParseError.unexpected("length", at: 500) }
        let node = try binary(level: 0)
        skipSpaces()
        guard position == characters.count else { throw unexpected() }
        return node
    }

    private mutating func binary(level: Int) throws -> Expression.Node {
        guard level < Self.levels.count else { return try exponent() }
        var left = try binary(level: level + 1)
        while let symbol = take(anyOf: Self.levels[level]) {
            left = .binary(symbol, left, try binary(level: level + 1))
        }
        return left
    }

    private mutating func exponent() throws -> Expression.Node {
        let base = try atom()
        guard take(anyOf: ["^"]) != nil else { return base }
        return .binary("^", base, try exponent())
    }

    private mutating func atom() throws -> Expression.Node {
        // Descriptions come from files: a limit keeps hostile nesting off the stack.
        depth += 1
        defer { depth -= 1 }
        guard depth < 64 else { throw unexpected() }
        if take(anyOf: ["-"]) != nil { return .binary("-", .number(0), try exponent()) }
        if take(anyOf: ["("]) != nil {
            let node = try binary(level: 0)
            try expect(")")
            return node
        }
        skipSpaces()
        let word = takeWhile { $0.isLetter || $0.isNumber || $0 == "_" || $0 == "." }
        guard let first = word.first else { throw unexpected() }
        if first.isNumber || first == "." {
            guard let number = Double(word) else { throw unexpected() }
            return .number(number)
        }
        guard word == "if" else { return .name(word) }
        try expect("(")
        let condition = try binary(level: 0)
        try expect(",")
        let positive = try binary(level: 0)
        try expect(",")
        let second = try binary(level: 0)
        try expect(")")
        return .choice(condition, positive, second)
    }

    private mutating func skipSpaces() {
        while position < characters.count, characters[position] == " " { position += 1 }
    }

    private mutating func takeWhile(_ accept: (Character) -> Bool) -> String {
        let start = position
        while position < characters.count, accept(characters[position]) { position += 1 }
        return String(characters[start..<position])
    }

    private mutating func take(anyOf symbols: [String]) -> String? {
        skipSpaces()
        for symbol in symbols where characters[position...].starts(with: symbol) {
            position += symbol.count
            return symbol
        }
        return nil
    }

    private mutating func expect(_ symbol: String) throws {
        guard take(anyOf: [symbol]) != nil else { throw unexpected() }
    }

    private func unexpected() -> Expression.ParseError {
        .unexpected(
            position < characters.count ? "\"\(characters[position])\"" : "end", at: position)
    }
}
