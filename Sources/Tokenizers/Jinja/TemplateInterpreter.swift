/// Walks a parsed template. One rendering, one thread.
struct TemplateInterpreter {
    enum Flow { case next, breakLoop, continueLoop }

    /// Bounds on what a template that comes with a file may cost.
    static let stepLimit = 500_000
    static let outputLimit = 64 << 20
    static let depthLimit = 200

    var output: [UInt8] = []
    private var steps = 0
    private var depth = 0

    mutating func run(_ nodes: [TemplateNode], _ scope: TemplateScope) throws(TokenizerError) -> Flow {
        for node in nodes {
            let flow = try run(node, scope)
            if flow != .next { return flow }
        }
        return .next
    }

    mutating func step(_ line: Int) throws(TokenizerError) {
        steps += 1
        guard steps < Self.stepLimit, output.count < Self.outputLimit else {
            throw .templateFailed(line: line, reason: "the template does not come to an end")
        }
    }

    /// One level deeper: macros and recursive loops.
    mutating func deeper<Result>(
        _ line: Int, _ body: (inout TemplateInterpreter) throws(TokenizerError) -> Result
    ) throws(TokenizerError) -> Result {
        guard depth < Self.depthLimit else {
            throw .templateFailed(line: line, reason: "calls nested more than \(Self.depthLimit) deep")
        }
        depth += 1
        let result = try body(&self)
        depth -= 1
        return result
    }

    /// What `nodes` print, apart from the output so far.
    mutating func capture(_ nodes: [TemplateNode], _ scope: TemplateScope) throws(TokenizerError) -> String {
        let before = output
        output = []
        _ = try run(nodes, scope)
        let text = String(decoding: output, as: UTF8.self)
        output = before
        return text
    }

    private mutating func run(_ node: TemplateNode, _ scope: TemplateScope) throws(TokenizerError) -> Flow {
        switch node {
        case .text(let text): output += text.utf8
        case .output(let expression, let line):
            try step(line)
            output += try evaluate(expression, scope).text.utf8
        case .conditional(let branches, let otherwise):
            for branch in branches where try evaluate(branch.condition, scope).isTrue {
                return try run(branch.body, scope)
            }
            return try run(otherwise, scope)
        case .loop(let loop, let line):
            let items = try items(of: loop, scope, line)
            try run(loop, items, scope, depth: 0, line)
        case .assign(let targets, let expression, let line):
            try step(line)
            let value = try evaluate(expression, scope)
            guard targets.count > 1 else { return try assign(targets[0], value, scope, line) }
            guard let parts = value.sequence, parts.count == targets.count else {
                throw .templateFailed(line: line, reason: "\(targets.count) names for \(value.typeName)")
            }
            for (target, part) in zip(targets, parts) { _ = try assign(target, part, scope, line) }
        case .assignBlock(let target, let filters, let nodes, let line):
            var value = TemplateValue.string(try capture(nodes, TemplateScope(parent: scope)))
            for filter in filters { value = try apply(filter, to: value, scope) }
            _ = try assign(target, value, scope, line)
        case .macro(let name, let parameters, let nodes):
            let macro = TemplateMacro(name: name, parameters: parameters, body: nodes, scope: scope)
            scope[name] = .callable(TemplateCallable(name: name, body: .macro(macro)))
        case .callBlock(let call, let nodes, let line):
            let inner = TemplateScope(parent: scope)
            inner["caller"] = .callable(TemplateCallable(name: "caller", body: .caller(nodes, scope)))
            guard case .call(let function, let arguments, _) = call,
                case .callable(let callable) = try evaluate(function, scope), case .macro(var macro) = callable.body
            else { throw .templateFailed(line: line, reason: "a call block needs a macro") }
            macro.scope = inner
            let body = TemplateCallable(name: callable.name, body: .macro(macro))
            output += try self.call(body, try evaluate(arguments, scope, line), line).text.utf8
        case .filterBlock(let filters, let nodes, _):
            var value = TemplateValue.string(try capture(nodes, TemplateScope(parent: scope)))
            for filter in filters { value = try apply(filter, to: value, scope) }
            output += value.text.utf8
        case .scoped(let values, let nodes):
            let inner = TemplateScope(parent: scope)
            for (name, value) in values { inner[name] = try evaluate(value, scope) }
            return try run(nodes, values.isEmpty ? scope : inner)
        case .breakLoop: return .breakLoop
        case .continueLoop: return .continueLoop
        }
        return .next
    }

    private mutating func assign(
        _ target: TemplateTarget, _ value: TemplateValue, _ scope: TemplateScope, _ line: Int
    ) throws(TokenizerError) -> Flow {
        switch target {
        case .name(let name): scope[name] = value
        case .member(let name, let member):
            guard case .namespace(let namespace)? = scope[name] else {
                throw .templateFailed(line: line, reason: "\"\(name)\" is not a namespace; its members cannot be set")
            }
            namespace.members[member] = value
        }
        return .next
    }

    // MARK: Loops

    private mutating func items(
        of loop: TemplateLoop, _ scope: TemplateScope, _ line: Int
    ) throws(TokenizerError) -> [TemplateValue] {
        let value = try evaluate(loop.sequence, scope)
        guard let items = value.sequence else {
            throw .templateFailed(line: line, reason: "cannot loop over \(value.typeName)")
        }
        guard let condition = loop.condition else { return items }
        var kept: [TemplateValue] = []
        for item in items {
            try step(line)
            let inner = TemplateScope(parent: scope)
            try bind(loop.targets, item, inner, line)
            if try evaluate(condition, inner).isTrue { kept.append(item) }
        }
        return kept
    }

    private func bind(
        _ targets: [String], _ item: TemplateValue, _ scope: TemplateScope, _ line: Int
    ) throws(TokenizerError) {
        guard targets.count > 1 else {
            scope[targets[0]] = item
            return
        }
        guard case .list(let parts) = item, parts.count == targets.count else {
            throw .templateFailed(line: line, reason: "\(targets.count) names for \(item.typeName)")
        }
        for (name, part) in zip(targets, parts) { scope[name] = part }
    }

    mutating func run(
        _ loop: TemplateLoop, _ items: [TemplateValue], _ scope: TemplateScope, depth: Int, _ line: Int
    ) throws(TokenizerError) {
        guard !items.isEmpty else {
            _ = try run(loop.otherwise, scope)
            return
        }
        for (index, item) in items.enumerated() {
            try step(line)
            let inner = TemplateScope(parent: scope)
            var state = TemplateDictionary([
                ("index", .int(index + 1)), ("index0", .int(index)), ("revindex", .int(items.count - index)),
                ("revindex0", .int(items.count - index - 1)), ("first", .bool(index == 0)),
                ("last", .bool(index == items.count - 1)), ("length", .int(items.count)),
                ("depth", .int(depth + 1)), ("depth0", .int(depth)),
                ("previtem", index > 0 ? items[index - 1] : .undefined("previtem")),
                ("nextitem", index + 1 < items.count ? items[index + 1] : .undefined("nextitem")),
            ])
            state["cycle"] = .callable(
                TemplateCallable(
                    name: "cycle",
                    body: .native { (arguments) throws(TokenizerError) in
                        guard !arguments.positional.isEmpty else {
                            throw arguments.failure("nothing to cycle through")
                        }
                        return arguments.positional[index % arguments.positional.count]
                    }))
            inner["loop"] = .namespace(TemplateNamespace(state))
            if loop.isRecursive { inner[Self.recursionKey] = .int(depth) }
            try bind(loop.targets, item, inner, line)
            if loop.isRecursive {
                currentLoops.append((loop, inner))
            }
            let flow = try run(loop.body, inner)
            if loop.isRecursive { currentLoops.removeLast() }
            if flow == .breakLoop { break }
        }
    }

    private static let recursionKey = " depth"
    private var currentLoops: [(loop: TemplateLoop, scope: TemplateScope)] = []

    /// `loop(children)` inside a recursive loop.
    mutating func recurse(_ sequence: TemplateValue, _ line: Int) throws(TokenizerError) -> TemplateValue {
        guard let (loop, scope) = currentLoops.last, let items = sequence.sequence else {
            throw .templateFailed(line: line, reason: "loop(…) belongs in a recursive loop, and takes a list")
        }
        let depth = scope[Self.recursionKey]?.integer ?? 0
        return try deeper(line) { (interpreter) throws(TokenizerError) in
            let before = interpreter.output
            interpreter.output = []
            try interpreter.run(loop, items, scope, depth: depth + 1, line)
            defer { interpreter.output = before }
            return .string(String(decoding: interpreter.output, as: UTF8.self))
        }
    }

    // MARK: Calls

    mutating func call(
        _ callable: TemplateCallable, _ arguments: TemplateArguments, _ line: Int
    ) throws(TokenizerError) -> TemplateValue {
        try step(line)
        switch callable.body {
        case .native(let body): return try body(arguments)
        case .loop: return try recurse(arguments.value(0) ?? .none, line)
        case .caller(let nodes, let scope):
            return .string(
                try deeper(line) { (interpreter) throws(TokenizerError) in
                    try interpreter.capture(nodes, TemplateScope(parent: scope))
                })
        case .macro(let macro):
            let scope = TemplateScope(parent: macro.scope)
            var named = arguments.named
            for (index, parameter) in macro.parameters.enumerated() {
                if index < arguments.positional.count {
                    scope[parameter.name] = arguments.positional[index]
                } else if let value = named.removeValue(forKey: parameter.name) {
                    scope[parameter.name] = value
                } else if let standard = parameter.standard {
                    scope[parameter.name] = try evaluate(standard, scope)
                } else {
                    scope[parameter.name] = .undefined(parameter.name)
                }
            }
            scope["varargs"] = .list(Array(arguments.positional.dropFirst(macro.parameters.count)))
            scope["kwargs"] = .dictionary(
                TemplateDictionary(named.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }))
            return .string(
                try deeper(line) { (interpreter) throws(TokenizerError) in
                    try interpreter.capture(macro.body, scope)
                })
        }
    }
}
