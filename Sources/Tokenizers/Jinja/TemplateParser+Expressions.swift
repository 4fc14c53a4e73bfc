extension TemplateParser {
    /// An expression, or several with commas between, which are a list.
    mutating func tupleOrExpression(conditionals: Bool = true) throws(TokenizerError) -> TemplateExpression {
        let first = conditionals ? try expression() : try disjunction()
        guard token == .symbol(",") else { return first }
        var elements = [first]
        while take(symbol: ",") {
            guard token != .blockEnd, token != .outputEnd, token != .symbol(")") else { break }
            elements.append(conditionals ? try expression() : try disjunction())
        }
        return .list(elements)
    }

    mutating func expression() throws(TokenizerError) -> TemplateExpression {
        try nested { (parser) throws(TokenizerError) in
            var value = try parser.disjunction()
            while parser.take(keyword: "if") {
                let condition = try parser.disjunction()
                let otherwise = parser.take(keyword: "else") ? try parser.expression() : nil
                value = .conditional(value, condition: condition, otherwise: otherwise)
            }
            return value
        }
    }

    mutating func disjunction() throws(TokenizerError) -> TemplateExpression {
        var value = try conjunction()
        while take(keyword: "or") { value = .or(value, try conjunction()) }
        return value
    }

    private mutating func conjunction() throws(TokenizerError) -> TemplateExpression {
        var value = try negation()
        while take(keyword: "and") { value = .and(value, try negation()) }
        return value
    }

    private mutating func negation() throws(TokenizerError) -> TemplateExpression {
        guard take(keyword: "not") else { return try comparison() }
        return .not(try nested { (parser) throws(TokenizerError) in try parser.negation() })
    }

    private mutating func comparison() throws(TokenizerError) -> TemplateExpression {
        let line = line
        let first = try sum()
        var rest: [(String, TemplateExpression)] = []
        while true {
            if case .symbol(let symbol)? = token, ["==", "!=", "<", ">", "<=", ">="].contains(symbol) {
                index += 1
                rest.append((symbol, try sum()))
            } else if take(keyword: "in") {
                rest.append(("in", try sum()))
            } else if token == .name("not"), following == .name("in") {
                index += 2
                rest.append(("not in", try sum()))
            } else {
                return rest.isEmpty ? first : .comparison(first, rest, line: line)
            }
        }
    }

    private mutating func binary(
        _ symbols: Set<String>, _ operand: (inout TemplateParser) throws(TokenizerError) -> TemplateExpression
    ) throws(TokenizerError) -> TemplateExpression {
        var value = try operand(&self)
        while case .symbol(let symbol)? = token, symbols.contains(symbol) {
            let line = line
            index += 1
            value = .arithmetic(symbol, value, try operand(&self), line: line)
        }
        return value
    }

    private mutating func sum() throws(TokenizerError) -> TemplateExpression {
        try binary(["+", "-"]) { (parser) throws(TokenizerError) in
            try parser.binary(["~"]) { (parser) throws(TokenizerError) in
                try parser.binary(["*", "/", "//", "%"]) { (parser) throws(TokenizerError) in
                    try parser.binary(["**"]) { (parser) throws(TokenizerError) in try parser.unary(filters: true) }
                }
            }
        }
    }

    private mutating func unary(filters: Bool) throws(TokenizerError) -> TemplateExpression {
        let line = line
        var value: TemplateExpression
        if take(symbol: "-") {
            value = .negate(
                try nested { (parser) throws(TokenizerError) in try parser.unary(filters: false) }, line: line)
        } else if take(symbol: "+") {
            value = .plus(
                try nested { (parser) throws(TokenizerError) in try parser.unary(filters: false) }, line: line)
        } else {
            value = try postfix(try primary())
        }
        guard filters else { return value }
        while true {
            if token == .symbol("|") {
                for call in try filterCalls(first: false) { value = .filter(value, call) }
            } else if token == .name("is") {
                value = try test(value)
            } else if token == .symbol("(") {
                value = try postfix(value)
            } else {
                return value
            }
        }
    }

    private mutating func primary() throws(TokenizerError) -> TemplateExpression {
        guard let current = token else { throw failure("expected an expression") }
        switch current {
        case .name(let name):
            index += 1
            switch name {
            case "true", "True": return .literal(.bool(true))
            case "false", "False": return .literal(.bool(false))
            case "none", "None": return .literal(.none)
            default: return .name(name)
            }
        case .string(var text):
            index += 1
            while case .string(let more)? = token {
                text += more
                index += 1
            }
            return .literal(.string(text))
        case .int(let value):
            index += 1
            return .literal(.int(value))
        case .double(let value):
            index += 1
            return .literal(.double(value))
        case .symbol("("):
            index += 1
            if take(symbol: ")") { return .list([]) }
            let value = try tupleOrExpression()
            try expect(symbol: ")")
            return value
        case .symbol("["):
            index += 1
            var elements: [TemplateExpression] = []
            while !take(symbol: "]") {
                if !elements.isEmpty {
                    try expect(symbol: ",")
                    if take(symbol: "]") { break }
                }
                elements.append(try expression())
            }
            return .list(elements)
        case .symbol("{"):
            index += 1
            var members: [(TemplateExpression, TemplateExpression)] = []
            while !take(symbol: "}") {
                if !members.isEmpty {
                    try expect(symbol: ",")
                    if take(symbol: "}") { break }
                }
                let key = try expression()
                try expect(symbol: ":")
                members.append((key, try expression()))
            }
            return .dictionary(members)
        default: throw failure("expected an expression")
        }
    }

    private mutating func postfix(_ start: TemplateExpression) throws(TokenizerError) -> TemplateExpression {
        var value = start
        while true {
            let line = line
            if take(symbol: ".") {
                if case .int(let place)? = token {
                    index += 1
                    value = .element(value, .literal(.int(place)), line: line)
                } else {
                    value = .member(value, try name(), line: line)
                }
            } else if take(symbol: "[") {
                value = try subscripted(value, line)
            } else if token == .symbol("(") {
                value = .call(value, try arguments(), line: line)
            } else {
                return value
            }
        }
    }

    private mutating func subscripted(
        _ value: TemplateExpression, _ line: Int
    ) throws(TokenizerError) -> TemplateExpression {
        var bounds: [TemplateExpression?] = [nil]
        while !take(symbol: "]") {
            if take(symbol: ":") {
                bounds.append(nil)
            } else {
                guard bounds[bounds.count - 1] == nil else { throw failure("expected \"]\"") }
                bounds[bounds.count - 1] = try expression()
            }
        }
        if bounds.count == 1 {
            guard let index = bounds[0] else { throw failure("expected an index") }
            return .element(value, index, line: line)
        }
        guard bounds.count <= 3 else { throw failure("a slice has at most three parts") }
        return .slice(value, bounds[0], bounds[1], bounds.count > 2 ? bounds[2] : nil, line: line)
    }

    mutating func arguments() throws(TokenizerError) -> TemplateCallArguments {
        var arguments = TemplateCallArguments()
        try expect(symbol: "(")
        var isFirst = true
        while !take(symbol: ")") {
            if !isFirst {
                try expect(symbol: ",")
                if take(symbol: ")") { break }
            }
            isFirst = false
            if token == .symbol("*") || token == .symbol("**") {
                throw .templateUnsupported(line: line, what: "unpacked arguments")
            }
            if case .name(let name)? = token, following == .symbol("=") {
                index += 2
                arguments.named.append((name, try expression()))
            } else {
                arguments.positional.append(try expression())
            }
        }
        return arguments
    }

    /// `| name(…) | name`; the first one of a filter block has no bar.
    mutating func filterCalls(first: Bool) throws(TokenizerError) -> [TemplateFilterCall] {
        var calls: [TemplateFilterCall] = []
        while calls.isEmpty && first || take(symbol: "|") {
            let line = line
            let name = try name()
            let arguments = token == .symbol("(") ? try arguments() : TemplateCallArguments()
            calls.append(TemplateFilterCall(name: name, arguments: arguments, line: line))
        }
        return calls
    }

    private mutating func test(_ value: TemplateExpression) throws(TokenizerError) -> TemplateExpression {
        let line = line
        try expect(keyword: "is")
        let negated = take(keyword: "not")
        let name = try name()
        var arguments: [TemplateExpression] = []
        switch token {
        case .symbol("("): arguments = try self.arguments().positional
        case .name(let word)? where !["else", "or", "and", "if", "is", "in", "not", "recursive"].contains(word):
            arguments = [try postfix(try primary())]
        case .string, .int, .double, .symbol("["), .symbol("{"): arguments = [try postfix(try primary())]
        default: break
        }
        let test = TemplateExpression.test(value, name, arguments, line: line)
        return negated ? .not(test) : test
    }
}
