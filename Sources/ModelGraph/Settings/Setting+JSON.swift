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
