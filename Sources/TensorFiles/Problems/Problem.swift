/// A broken rule: which, where, and what to do.
public struct Problem: Hashable, Sendable, CustomStringConvertible {
    public var rule: Rule
    /// The file as the user can find it.
    public var file: String
    /// The tensor or key concerned.
    public var tensor: String?
    /// Byte offset in the file of what breaks the rule.
    public var offset: Int?
    /// What was expected, what was found, what to do.
    public var message: String

    public init(_ rule: Rule, file: String, tensor: String? = nil, offset: Int? = nil, _ message: String) {
        self.rule = rule
        self.file = file
        self.tensor = tensor
        self.offset = offset
        self.message = message
    }

    public var description: String {
        var text = file
        if let tensor { text += ": \(tensor.quotedForMessages)" }
        if let offset { text += " (byte \(offset))" }
        return text + ": \(message) [\(rule.rawValue)]"
    }
}

extension String {
    /// In quotation marks, control characters visible, cut where it would drown the message.
    package var quotedForMessages: String {
        var text = "\""
        for (index, scalar) in unicodeScalars.enumerated() {
            guard index < 120 else {
                text += "…"
                break
            }
            let harmless =
                scalar.value >= 0x20 && !(0x7F...0x9F).contains(scalar.value)
                && scalar.properties.generalCategory != .format
            text += harmless ? String(scalar) : "\\u{\(String(scalar.value, radix: 16))}"
        }
        return text + "\""
    }
}

/// Gathers broken rules while a reader goes on as far as it can.
package struct ProblemList {
    package private(set) var problems: [Problem] = []
    /// A hostile file can break a rule once for each byte.
    package static let limit = 1000
    package private(set) var omitted = 0

    package init() {}

    package mutating func add(_ problem: Problem) {
        if problems.count < Self.limit { problems.append(problem) } else { omitted += 1 }
    }

    package mutating func add(contentsOf list: ProblemList) {
        for problem in list.problems { add(problem) }
        omitted += list.omitted
    }

    /// The first problem that makes the file unusable, as an error.
    package var failure: TensorFileError? {
        problems.first { $0.rule.severity == .error }.map { .broken($0) }
    }
}
