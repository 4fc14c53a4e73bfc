import Foundation

/// Functions that every template can call.
enum TemplateFunctions {
    static let all: [String: TemplateValue] = {
        var all: [String: TemplateValue] = [:]
        func add(
            _ name: String, _ body: @escaping @Sendable (TemplateArguments) throws(TokenizerError) -> TemplateValue
        ) {
            all[name] = .callable(TemplateCallable(name: name, body: .native(body)))
        }
        add("raise_exception") { (arguments) throws(TokenizerError) in
            throw .templateRaised(arguments.value(0)?.text ?? "")
        }
        add("namespace") { arguments in
            var members = TemplateDictionary()
            if case .dictionary(let given)? = arguments.positional.first { members = given }
            for name in arguments.named.keys.sorted() { members[name] = arguments.named[name] }
            return .namespace(TemplateNamespace(members))
        }
        add("dict") { arguments in
            var members = TemplateDictionary()
            if case .dictionary(let given)? = arguments.positional.first { members = given }
            for name in arguments.named.keys.sorted() { members[name] = arguments.named[name] }
            return .dictionary(members)
        }
        add("range") { (arguments) throws(TokenizerError) in
            let bounds = arguments.positional.map(\.integer)
            guard (1...3).contains(bounds.count), !bounds.contains(nil) else {
                throw arguments.failure("range takes one to three whole numbers")
            }
            let numbers = bounds.compactMap { $0 }
            let (start, stop) = numbers.count == 1 ? (0, numbers[0]) : (numbers[0], numbers[1])
            let step = numbers.count == 3 ? numbers[2] : 1
            let span = Double(stop) - Double(start)
            guard step != 0, span / Double(step) <= 100_000 else { throw arguments.failure("range is too long") }
            return .list(stride(from: start, to: stop, by: step).map { .int($0) })
        }
        add("strftime_now") { (arguments) throws(TokenizerError) in
            throw arguments.failure("no clock was given")
        }
        return all
    }()

    /// `strftime_now` at a fixed moment.
    static func clock(_ now: Date) -> TemplateValue {
        .callable(
            TemplateCallable(
                name: "strftime_now",
                body: .native { (arguments) throws(TokenizerError) in
                    guard case .string(let format)? = arguments.value(0, "format") else {
                        throw arguments.failure("strftime_now takes a format")
                    }
                    return .string(try text(of: now, format, arguments))
                }))
    }

    private static let months = [
        "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
        "December",
    ]
    private static let days = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"]

    private static func text(
        of date: Date, _ format: String, _ arguments: TemplateArguments
    ) throws(TokenizerError) -> String {
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = .current
        let parts = calendar.dateComponents([.year, .month, .day, .hour, .minute, .second, .weekday], from: date)
        func padded(_ value: Int?, _ width: Int = 2) -> String {
            let digits = String(value ?? 0)
            return String(repeating: "0", count: max(0, width - digits.count)) + digits
        }
        let month = months[max(0, min(11, (parts.month ?? 1) - 1))]
        let day = days[max(0, min(6, (parts.weekday ?? 1) - 1))]
        var result = ""
        var scalars = Array(format.unicodeScalars)[...]
        while let scalar = scalars.popFirst() {
            guard scalar == "%" else {
                result.unicodeScalars.append(scalar)
                continue
            }
            var code = scalars.popFirst()
            let unpadded = code == "-"
            if unpadded { code = scalars.popFirst() }
            var piece: String
            switch code {
            case "Y": piece = padded(parts.year, 4)
            case "y": piece = padded((parts.year ?? 0) % 100)
            case "m": piece = padded(parts.month)
            case "d": piece = padded(parts.day)
            case "H": piece = padded(parts.hour)
            case "I": piece = padded(((parts.hour ?? 0) + 11) % 12 + 1)
            case "M": piece = padded(parts.minute)
            case "S": piece = padded(parts.second)
            case "p": piece = (parts.hour ?? 0) < 12 ? "AM" : "PM"
            case "B": piece = month
            case "b": piece = String(month.prefix(3))
            case "A": piece = day
            case "a": piece = String(day.prefix(3))
            case "j": piece = padded(calendar.ordinality(of: .day, in: .year, for: date), 3)
            case "F": piece = "\(padded(parts.year, 4))-\(padded(parts.month))-\(padded(parts.day))"
            case "T": piece = "\(padded(parts.hour)):\(padded(parts.minute)):\(padded(parts.second))"
            case "%": piece = "%"
            default:
                throw .templateUnsupported(
                    line: arguments.line, what: "strftime_now's \"%\(code.map(String.init) ?? "")\"")
            }
            if unpadded, let first = piece.firstIndex(where: { $0 != "0" }) { piece = String(piece[first...]) }
            result += piece
        }
        return result
    }
}
