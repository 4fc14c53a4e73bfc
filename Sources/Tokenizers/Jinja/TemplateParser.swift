/// Reads the tokens of a template: statements here, expressions in the extension.
struct TemplateParser {
    private let tokens: [TemplateLexer.Located]
    var index = 0
    private var depth = 0
    static let depthLimit = 120

    static func nodes(of source: String) throws(TokenizerError) -> [TemplateNode] {
        var parser = TemplateParser(tokens: try TemplateLexer.tokens(of: source))
        let (nodes, end) = try parser.body(until: [])
        precondition(end.isEmpty)
        return nodes
    }

    private init(tokens: [TemplateLexer.Located]) { self.tokens = tokens }

    // MARK: Tokens

    var token: TemplateLexer.Token? { index < tokens.count ? tokens[index].token : nil }
    var following: TemplateLexer.Token? { index + 1 < tokens.count ? tokens[index + 1].token : nil }
    var line: Int { index < tokens.count ? tokens[index].line : tokens.last?.line ?? 1 }

    func failure(_ reason: String) -> TokenizerError { .templateSyntax(line: line, reason: reason) }

    mutating func take(symbol: String) -> Bool {
        guard token == .symbol(symbol) else { return false }
        index += 1
        return true
    }

    mutating func take(keyword: String) -> Bool {
        guard token == .name(keyword) else { return false }
        index += 1
        return true
    }

    mutating func expect(symbol: String) throws(TokenizerError) {
        guard take(symbol: symbol) else { throw failure("expected \"\(symbol)\"") }
    }

    mutating func expect(keyword: String) throws(TokenizerError) {
        guard take(keyword: keyword) else { throw failure("expected \"\(keyword)\"") }
    }

    mutating func name() throws(TokenizerError) -> String {
        guard case .name(let name)? = token else { throw failure("expected a name") }
        index += 1
        return name
    }

    private mutating func endBlock() throws(TokenizerError) {
        guard token == .blockEnd else { throw failure("expected the end of the tag") }
        index += 1
    }

    /// Guards against templates that nest for the sake of nesting.
    mutating func nested<Result>(
        _ body: (inout TemplateParser) throws(TokenizerError) -> Result
    ) throws(TokenizerError) -> Result {
        guard depth < Self.depthLimit else { throw failure("nested more than \(Self.depthLimit) deep") }
        depth += 1
        let result = try body(&self)
        depth -= 1
        return result
    }

    // MARK: Statements

    /// Parts up to one of `ends`, whose name is returned, with its tag not closed yet; "" at the end of the template.
    private mutating func body(until ends: Set<String>) throws(TokenizerError) -> ([TemplateNode], String) {
        var nodes: [TemplateNode] = []
        while let current = token {
            switch current {
            case .text(let text):
                nodes.append(.text(text))
                index += 1
            case .outputStart:
                let line = line
                index += 1
                let value = try tupleOrExpression()
                guard token == .outputEnd else { throw failure("expected the end of the tag") }
                index += 1
                nodes.append(.output(value, line: line))
            case .blockStart:
                index += 1
                guard case .name(let keyword)? = token else { throw failure("expected a statement") }
                if ends.contains(keyword) {
                    index += 1
                    return (nodes, keyword)
                }
                if let node = try nested({ (parser) throws(TokenizerError) in try parser.statement(keyword) }) {
                    nodes.append(node)
                }
            default: throw failure("unexpected token")
            }
        }
        guard ends.isEmpty else { throw failure("expected \(ends.sorted().joined(separator: " or "))") }
        return (nodes, "")
    }

    /// The body of a block that has one end only.
    private mutating func body(toEnd name: String) throws(TokenizerError) -> [TemplateNode] {
        try endBlock()
        let (nodes, _) = try body(until: [name])
        if case .name? = token { index += 1 }
        try endBlock()
        return nodes
    }

    private mutating func statement(_ keyword: String) throws(TokenizerError) -> TemplateNode? {
        let line = line
        index += 1
        switch keyword {
        case "if": return try conditional()
        case "for": return try loop(line)
        case "set": return try assignment(line)
        case "macro":
            let name = try name()
            let parameters = try parameters()
            return .macro(name, parameters: parameters, try body(toEnd: "endmacro"))
        case "call":
            if token == .symbol("(") { throw unsupported("call blocks with parameters", line) }
            let call = try expression()
            return .callBlock(call, try body(toEnd: "endcall"), line: line)
        case "filter":
            let filters = try filterCalls(first: true)
            return .filterBlock(filters, try body(toEnd: "endfilter"), line: line)
        case "with":
            var values: [(String, TemplateExpression)] = []
            while token != .blockEnd {
                let name = try name()
                try expect(symbol: "=")
                values.append((name, try expression()))
                guard take(symbol: ",") else { break }
            }
            return .scoped(values, try body(toEnd: "endwith"))
        case "generation":
            // Marks what the assistant says, for training; it prints as if it were not there.
            return .scoped([], try body(toEnd: "endgeneration"))
        case "break", "continue":
            try endBlock()
            return keyword == "break" ? .breakLoop : .continueLoop
        case "autoescape", "block", "do", "extends", "from", "import", "include", "trans":
            throw unsupported("{% \(keyword) %}", line)
        default: throw TokenizerError.templateSyntax(line: line, reason: "unknown statement \"\(keyword)\"")
        }
    }

    private func unsupported(_ what: String, _ line: Int) -> TokenizerError {
        .templateUnsupported(line: line, what: what)
    }

    private mutating func conditional() throws(TokenizerError) -> TemplateNode {
        var branches: [(TemplateExpression, [TemplateNode])] = []
        var otherwise: [TemplateNode] = []
        var condition = try tupleOrExpression()
        while true {
            try endBlock()
            let (nodes, end) = try body(until: ["elif", "else", "endif"])
            branches.append((condition, nodes))
            if end == "elif" {
                condition = try tupleOrExpression()
                continue
            }
            if end == "else" { otherwise = try body(toEnd: "endif") } else { try endBlock() }
            return .conditional(branches, otherwise: otherwise)
        }
    }

    private mutating func loop(_ line: Int) throws(TokenizerError) -> TemplateNode {
        let parenthesized = take(symbol: "(")
        var targets = [try name()]
        while take(symbol: ",") { targets.append(try name()) }
        if parenthesized { try expect(symbol: ")") }
        try expect(keyword: "in")
        let sequence = try tupleOrExpression(conditionals: false)
        let condition = take(keyword: "if") ? try expression() : nil
        let isRecursive = take(keyword: "recursive")
        try endBlock()
        var otherwise: [TemplateNode] = []
        let (nodes, end) = try body(until: ["else", "endfor"])
        if end == "else" { otherwise = try body(toEnd: "endfor") } else { try endBlock() }
        return .loop(
            TemplateLoop(
                targets: targets, sequence: sequence, condition: condition, body: nodes, otherwise: otherwise,
                isRecursive: isRecursive), line: line)
    }

    private mutating func assignment(_ line: Int) throws(TokenizerError) -> TemplateNode {
        var targets: [TemplateTarget] = []
        repeat {
            let name = try name()
            targets.append(take(symbol: ".") ? .member(name, try self.name()) : .name(name))
        } while take(symbol: ",")
        if take(symbol: "=") {
            let value = try tupleOrExpression()
            try endBlock()
            return .assign(targets, value, line: line)
        }
        guard targets.count == 1 else { throw failure("expected \"=\"") }
        let filters = token == .symbol("|") ? try filterCalls(first: false) : []
        return .assignBlock(targets[0], filters: filters, try body(toEnd: "endset"), line: line)
    }

    private mutating func parameters() throws(TokenizerError) -> [(name: String, standard: TemplateExpression?)] {
        var parameters: [(name: String, standard: TemplateExpression?)] = []
        try expect(symbol: "(")
        while !take(symbol: ")") {
            if !parameters.isEmpty { try expect(symbol: ",") }
            let name = try name()
            parameters.append((name, take(symbol: "=") ? try expression() : nil))
        }
        return parameters
    }
}
