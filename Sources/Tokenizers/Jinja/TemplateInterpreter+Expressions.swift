extension TemplateInterpreter {
    mutating func evaluate(
        _ expression: TemplateExpression, _ scope: TemplateScope
    ) throws(TokenizerError) -> TemplateValue {
        switch expression {
        case .literal(let value): return value
        case .name(let name): return scope[name] ?? TemplateFunctions.all[name] ?? .undefined(name)
        case .list(let elements):
            var values: [TemplateValue] = []
            for element in elements { values.append(try evaluate(element, scope)) }
            return .list(values)
        case .dictionary(let members):
            var dictionary = TemplateDictionary()
            for member in members {
                dictionary[try evaluate(member.key, scope).text] = try evaluate(member.value, scope)
            }
            return .dictionary(dictionary)
        case .member(let object, let name, let line):
            return try member(try evaluate(object, scope), name, line)
        case .element(let object, let index, let line):
            return try element(try evaluate(object, scope), try evaluate(index, scope), line)
        case .slice(let object, let start, let stop, let stride, let line):
            func bound(
                _ expression: TemplateExpression?, _ interpreter: inout TemplateInterpreter
            ) throws(TokenizerError) -> Int? {
                guard let expression else { return nil }
                let value = try interpreter.evaluate(expression, scope)
                if case .none = value { return nil }
                guard let integer = value.integer else {
                    throw .templateFailed(line: line, reason: "a slice's bound is \(value.typeName)")
                }
                return integer
            }
            let object = try evaluate(object, scope)
            return try Self.slice(
                object, try bound(start, &self), try bound(stop, &self), try bound(stride, &self), line)
        case .call(let function, let arguments, let line):
            if case .name("loop") = function, case .namespace? = scope["loop"] {
                return try recurse(try evaluate(arguments, scope, line).value(0) ?? .none, line)
            }
            let value = try evaluate(function, scope)
            guard case .callable(let callable) = value else {
                throw .templateFailed(line: line, reason: "\(value.typeName) cannot be called")
            }
            return try call(callable, try evaluate(arguments, scope, line), line)
        case .filter(let value, let call): return try apply(call, to: try evaluate(value, scope), scope)
        case .test(let value, let name, let arguments, let line):
            var operands: [TemplateValue] = []
            for argument in arguments { operands.append(try evaluate(argument, scope)) }
            return .bool(try TemplateTests.holds(name, try evaluate(value, scope), operands, line))
        case .not(let value): return .bool(try !evaluate(value, scope).isTrue)
        case .negate(let value, let line):
            switch try evaluate(value, scope) {
            case .double(let number): return .double(-number)
            case let other:
                guard let integer = other.integer, integer != .min else {
                    throw .templateFailed(line: line, reason: "no negative of \(other.typeName)")
                }
                return .int(-integer)
            }
        case .plus(let value, let line):
            let value = try evaluate(value, scope)
            guard value.number != nil else {
                throw .templateFailed(line: line, reason: "+ before \(value.typeName)")
            }
            return value
        case .and(let left, let right):
            let value = try evaluate(left, scope)
            return value.isTrue ? try evaluate(right, scope) : value
        case .or(let left, let right):
            let value = try evaluate(left, scope)
            return value.isTrue ? value : try evaluate(right, scope)
        case .arithmetic(let operation, let left, let right, let line):
            try step(line)
            return try TemplateArithmetic.apply(
                operation, try evaluate(left, scope), try evaluate(right, scope), line)
        case .comparison(let first, let rest, let line):
            var left = try evaluate(first, scope)
            for part in rest {
                let right = try evaluate(part.operand, scope)
                guard try TemplateArithmetic.compare(part.operation, left, right, line) else { return .bool(false) }
                left = right
            }
            return .bool(true)
        case .conditional(let value, let condition, let otherwise):
            if try evaluate(condition, scope).isTrue { return try evaluate(value, scope) }
            guard let otherwise else { return .undefined("") }
            return try evaluate(otherwise, scope)
        }
    }

    mutating func evaluate(
        _ arguments: TemplateCallArguments, _ scope: TemplateScope, _ line: Int
    ) throws(TokenizerError) -> TemplateArguments {
        var result = TemplateArguments(line: line, positional: [])
        for argument in arguments.positional { result.positional.append(try evaluate(argument, scope)) }
        for argument in arguments.named { result.named[argument.name] = try evaluate(argument.value, scope) }
        return result
    }

    /// `object.name`: a method comes before a key of that name, as in Python.
    private func member(_ object: TemplateValue, _ name: String, _ line: Int) throws(TokenizerError) -> TemplateValue
    {
        if case .undefined = object {
            throw .templateFailed(line: line, reason: "\(object.typeName) has no member \"\(name)\"")
        }
        if let method = TemplateMethods.method(name, of: object) { return method }
        switch object {
        case .dictionary(let members): return members[name] ?? .undefined(name)
        case .namespace(let namespace): return namespace.members[name] ?? .undefined(name)
        default: return .undefined(name)
        }
    }

    private func element(
        _ object: TemplateValue, _ index: TemplateValue, _ line: Int
    ) throws(TokenizerError) -> TemplateValue {
        switch object {
        case .undefined:
            throw .templateFailed(line: line, reason: "\(object.typeName) has no elements")
        case .list(let elements):
            guard let place = index.integer else { return .undefined(index.text) }
            let position = place < 0 ? place + elements.count : place
            return elements.indices.contains(position) ? elements[position] : .undefined("element \(place)")
        case .string(let text):
            guard let place = index.integer else {
                if case .string(let name) = index { return try member(object, name, line) }
                return .undefined(index.text)
            }
            let scalars = Array(text.unicodeScalars)
            let position = place < 0 ? place + scalars.count : place
            return scalars.indices.contains(position)
                ? .string(String(scalars[position])) : .undefined("element \(place)")
        case .dictionary(let members):
            if let value = members[index.text] { return value }
            return TemplateMethods.method(index.text, of: object) ?? .undefined(index.text)
        case .namespace(let namespace): return namespace.members[index.text] ?? .undefined(index.text)
        default: return .undefined(index.text)
        }
    }

    private static func slice(
        _ object: TemplateValue, _ start: Int?, _ stop: Int?, _ stride: Int?, _ line: Int
    ) throws(TokenizerError) -> TemplateValue {
        let step = stride ?? 1
        guard step != 0 else { throw .templateFailed(line: line, reason: "a slice's step is zero") }
        func indices(_ count: Int) -> [Int] {
            func place(_ bound: Int?, _ standard: Int) -> Int {
                guard let bound else { return standard }
                // Far bounds are as good as the ends.
                let near = max(-count - 1, min(count + 1, bound))
                let position = near < 0 ? near + count : near
                return step > 0 ? max(0, min(count, position)) : max(-1, min(count - 1, position))
            }
            let first = place(start, step > 0 ? 0 : count - 1)
            let last = place(stop, step > 0 ? count : -1)
            return Array(Swift.stride(from: first, to: last, by: max(-count - 1, min(count + 1, step))))
        }
        switch object {
        case .list(let elements): return .list(indices(elements.count).map { elements[$0] })
        case .string(let text):
            let scalars = Array(text.unicodeScalars)
            var result = String.UnicodeScalarView()
            for index in indices(scalars.count) { result.append(scalars[index]) }
            return .string(String(result))
        default: throw .templateFailed(line: line, reason: "no slice of \(object.typeName)")
        }
    }
}
