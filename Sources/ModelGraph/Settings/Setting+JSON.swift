public import TensorFiles

extension Setting {
    /// The value of a JSON node; numbers beyond a double's range become `null`.
    public init(_ node: JSONNode) {
        switch node.kind {
        case .null, .key: self = .null
        case .true: self = .bool(true)
        case .false: self = .bool(false)
        case .number: self = node.int.map { .integer($0) } ?? node.double.map { .number($0) } ?? .null
        case .string: self = .string(node.string ?? "")
        case .array: self = .array(node.elements.map { Setting($0) })
        case .object:
            self = .object(
                Dictionary(node.members.map { ($0.key, Setting($0.value)) }, uniquingKeysWith: { _, last in last }))
        }
    }
}

extension Setting {
    /// As JSON in the Hub's own style: keys sorted, two spaces of indent. What was read as a real number is written as
    /// one, `30.0` and not `30`, for loaders that tell the two apart.
    public var json: String {
        var text: [UInt8] = []
        write(into: &text, indent: 0)
        return String(decoding: text, as: UTF8.self) + "\n"
    }

    private func write(into text: inout [UInt8], indent: Int) {
        switch self {
        case .null: text += "null".utf8
        case .bool(let flag): text += (flag ? "true" : "false").utf8
        case .integer(let number): text += "\(number)".utf8
        // JSON has no other numbers; as text, the way Python's json reads them back.
        case .number(let number): text += (number.isFinite ? "\(number)" : "\"\(number)\"").utf8
        case .string(let string): JSONEscape.quote(string, into: &text)
        case .array(let elements):
            Self.write(elements, "[", "]", into: &text, indent) { $0.write(into: &$1, indent: $2) }
        case .object(let members):
            Self.write(members.sorted { $0.key < $1.key }, "{", "}", into: &text, indent) { member, text, indent in
                JSONEscape.quote(member.key, into: &text)
                text += ": ".utf8
                member.value.write(into: &text, indent: indent)
            }
        }
    }

    private static func write<Element>(
        _ elements: [Element], _ opening: String, _ closing: String, into text: inout [UInt8], _ indent: Int,
        _ body: (Element, inout [UInt8], Int) -> Void
    ) {
        text += opening.utf8
        for (number, element) in elements.enumerated() {
            text += "\(number == 0 ? "" : ",")\n\(String(repeating: "  ", count: indent + 1))".utf8
            body(element, &text, indent + 1)
        }
        if !elements.isEmpty { text += "\n\(String(repeating: "  ", count: indent))".utf8 }
        text += closing.utf8
    }
}

extension Settings {
    /// Lists longer than this are no settings of a model but its vocabulary.
    static let longestList = 8192

    public init(gguf checkpoint: Checkpoint, architecture: String) {
        let metadata = checkpoint.gguf ?? GGUFMetadata()
        self.init(gguf: architecture, file: checkpoint.path) { key in
            metadata[key].map { Setting($0) }
        } count: { key in
            metadata[key]?.array?.count
        } rows: { name in
            checkpoint[name]?.shape.first
        }
    }
}

extension Setting {
    init(_ value: GGUFValue) {
        switch value {
        case .string(let text): self = .string(text)
        case .bool(let flag): self = .bool(flag)
        // Shortest decimal of the single: 1e-5 stays 1e-5, so that a configuration survives the trip.
        case .float32(let number): self = .number(Double("\(number)") ?? Double(number))
        case .float64(let number): self = .number(number)
        case .array(let array):
            guard array.count <= Settings.longestList else {
                self = .null
                return
            }
            if let flags = array.bools {
                self = .array(flags.map { .bool($0) })
            } else if let integers = array.integers {
                self = .array(integers.map { .integer($0) })
            } else if let numbers = array.doubles {
                self = .array(numbers.map { .number($0) })
            } else {
                self = .array((array.strings ?? []).map { .string($0) })
            }
        default: self = value.int.map { .integer($0) } ?? .null
        }
    }
}
