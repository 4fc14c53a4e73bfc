/// The metadata of a GGUF file: keys in the order of the file, each once.
public struct GGUFMetadata: Sendable {
    public struct Entry: Sendable, Equatable {
        public let key: String
        public var value: GGUFValue
    }

    public private(set) var entries: [Entry] = []
    private var positions: [String: Int] = [:]

    public init() {}

    public var keys: [String] { entries.map(\.key) }

    /// Setting a key that is there replaces its value in place, a new one goes to the end, `nil` removes it.
    public subscript(key: String) -> GGUFValue? {
        get { positions[key].map { entries[$0].value } }
        set {
            switch (positions[key], newValue) {
            case (let position?, let value?): entries[position].value = value
            case (nil, let value?):
                positions[key] = entries.count
                entries.append(Entry(key: key, value: value))
            case (let position?, nil):
                entries.remove(at: position)
                positions = Dictionary(uniqueKeysWithValues: entries.enumerated().map { ($1.key, $0) })
            case (nil, nil): break
            }
        }
    }

    public static let defaultAlignment = 32

    /// Tensor data starts, and each tensor's bytes end, at a multiple of this many bytes.
    public var alignment: Int {
        if case .uint32(let value)? = self["general.alignment"] { Int(value) } else { Self.defaultAlignment }
    }
}

extension GGUFMetadata: ExpressibleByDictionaryLiteral {
    public init(dictionaryLiteral elements: (String, GGUFValue)...) {
        for (key, value) in elements { self[key] = value }
    }
}
