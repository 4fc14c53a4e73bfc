import ModelGraph

/// Blocks by number: `0-3,8,-2-` is the first four, the ninth and the last two.
struct LayerSet: Hashable {
    private let ranges: [ClosedRange<Int>]

    /// - Returns: `nil` where the text is no such list.
    init?(_ text: String, count: Int) {
        var ranges: [ClosedRange<Int>] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let part = part.filter { $0 != " " }
            guard let range = Self.range(part, count: count) else { return nil }
            if let range { ranges.append(range) }
        }
        self.ranges = ranges
    }

    func contains(_ layer: Int) -> Bool { ranges.contains { $0.contains(layer) } }

    /// `7`, `2-5`, `4-` and, counted from the end, `-4-`; doubly optional: not a range, or an empty one.
    private static func range(_ text: String, count: Int) -> ClosedRange<Int>?? {
        let isFromEnd = text.hasPrefix("-")
        let body = isFromEnd ? text.dropFirst() : text[...]
        let pieces = body.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
        guard let first = Int(pieces[0]), first >= 0 else { return nil }
        let start = isFromEnd ? max(0, count - first) : first
        var end = start
        if pieces.count == 2 {
            if pieces[1].isEmpty {
                end = count - 1
            } else {
                guard let last = Int(pieces[1]), last >= start, !isFromEnd else { return nil }
                end = last
            }
        }
        guard start <= end else { return .some(nil) }
        return .some(start...end)
    }
}

/// A name with `*` for any run of characters.
struct NamePattern: Hashable {
    private let pieces: [Substring]

    init(_ pattern: String) { pieces = pattern.split(separator: "*", omittingEmptySubsequences: false) }

    func matches(_ name: String) -> Bool {
        guard pieces.count > 1 else { return pieces.first.map(String.init) ?? "" == name }
        guard name.hasPrefix(pieces[0]), name.count >= pieces[0].count + pieces[pieces.count - 1].count,
            name.hasSuffix(pieces[pieces.count - 1])
        else { return false }
        var rest = name.dropFirst(pieces[0].count).dropLast(pieces[pieces.count - 1].count)
        for piece in pieces[1..<pieces.count - 1] where !piece.isEmpty {
            guard let found = rest.firstRange(of: piece) else { return false }
            rest = rest[found.upperBound...]
        }
        return true
    }
}

extension Recipe.Rule {
    /// What the rule is about, in its own words.
    var description: String {
        var parts: [String] = []
        if !roles.isEmpty { parts.append("roles " + roles.joined(separator: ", ")) }
        if let layers { parts.append("layers \(layers)") }
        if let names { parts.append("names \(names)") }
        return parts.isEmpty ? "every tensor" : parts.joined(separator: ", ")
    }

    static let roleNames: [String] =
        (TensorRole.Part.allCases.map(\.rawValue) + QuantizationSubject.Class.allCases.map(\.rawValue))
        .reduce(into: []) { if !$0.contains($1) { $0.append($1) } }

    func matches(_ subject: QuantizationSubject, layers: LayerSet?, names: NamePattern?) -> Bool {
        if !roles.isEmpty {
            guard roles.contains(subject.kind.rawValue) || roles.contains(subject.role?.part.rawValue ?? "") else {
                return false
            }
        }
        if let layers {
            guard let block = subject.block, layers.contains(block) else { return false }
        }
        return names?.matches(subject.name) ?? true
    }
}
