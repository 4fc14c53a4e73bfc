import ModelGraph

/// Which type and method each tensor gets, as a user writes it down: formats/recipe.md.
///
/// Rules are tried in order and the first that fits decides; tensors that fit none get `base`.
public struct Recipe: Sendable, Hashable, Codable {
    public struct Rule: Sendable, Hashable, Codable {
        /// Roles, as `TensorRole.Part` and `QuantizationSubject.Class` spell them; empty: any.
        public var roles: [String]
        /// Blocks: `"0-3"`, `"7"`, `"-4-"` (the last four), separated by commas; `nil`: any.
        public var layers: String?
        /// A pattern of the tensor's name, with `*` for any run of characters; `nil`: any.
        public var names: String?
        /// A type, a preset (its mixture then decides), or `keep`.
        public var type: String?
        public var method: BlockMethod?

        public init(
            roles: [String] = [], layers: String? = nil, names: String? = nil, type: String? = nil,
            method: BlockMethod? = nil
        ) {
            self.roles = roles
            self.layers = layers
            self.names = names
            self.type = type
            self.method = method
        }

        private enum CodingKeys: String, CodingKey, CaseIterable {
            case role, roles, layers, names, name, type, method
        }

        public init(from decoder: any Decoder) throws {
            try Recipe.checkKeys(decoder, allowed: CodingKeys.allCases.map(\.rawValue))
            let values = try decoder.container(keyedBy: CodingKeys.self)
            let many = try values.decodeIfPresent(OneOrMore.self, forKey: .roles)?.values ?? []
            let one = try values.decodeIfPresent(OneOrMore.self, forKey: .role)?.values ?? []
            roles = one + many
            layers = try values.decodeIfPresent(TextOrNumber.self, forKey: .layers)?.text
            names =
                try values.decodeIfPresent(String.self, forKey: .names)
                ?? values.decodeIfPresent(String.self, forKey: .name)
            type = try values.decodeIfPresent(String.self, forKey: .type)
            method = try values.decodeIfPresent(BlockMethod.self, forKey: .method)
        }

        public func encode(to encoder: any Encoder) throws {
            var values = encoder.container(keyedBy: CodingKeys.self)
            if !roles.isEmpty { try values.encode(roles, forKey: .roles) }
            try values.encodeIfPresent(layers, forKey: .layers)
            try values.encodeIfPresent(names, forKey: .names)
            try values.encodeIfPresent(type, forKey: .type)
            try values.encodeIfPresent(method, forKey: .method)
        }
    }

    /// A preset or a type.
    public var base: String
    public var method: BlockMethod
    public var rules: [Rule]

    public init(base: String, method: BlockMethod = .search, rules: [Rule] = []) {
        self.base = base
        self.method = method
        self.rules = rules
    }

    private enum CodingKeys: String, CodingKey, CaseIterable { case base, method, rules }

    public init(from decoder: any Decoder) throws {
        try Self.checkKeys(decoder, allowed: CodingKeys.allCases.map(\.rawValue))
        let values = try decoder.container(keyedBy: CodingKeys.self)
        base = try values.decode(String.self, forKey: .base)
        method = try values.decodeIfPresent(BlockMethod.self, forKey: .method) ?? .search
        rules = try values.decodeIfPresent([Rule].self, forKey: .rules) ?? []
    }

    /// RC-04: a key that means nothing is an error, for it is a key typed wrong.
    private static func checkKeys(_ decoder: any Decoder, allowed: [String]) throws {
        for key in try decoder.container(keyedBy: AnyKey.self).allKeys where !allowed.contains(key.stringValue) {
            let nearest = QuantizationError.nearest(to: key.stringValue, among: allowed).first
            let hint = nearest.map { "; did you mean \"\($0)\"?" } ?? "; known are " + allowed.joined(separator: ", ")
            throw DecodingError.dataCorrupted(
                .init(codingPath: decoder.codingPath, debugDescription: "unknown key \"\(key.stringValue)\"\(hint)"))
        }
    }
}

private struct AnyKey: CodingKey {
    let stringValue: String
    let intValue: Int?

    init?(stringValue: String) {
        self.stringValue = stringValue
        intValue = nil
    }

    init?(intValue: Int) {
        stringValue = String(intValue)
        self.intValue = intValue
    }
}

/// A text or a list of texts.
private struct OneOrMore: Decodable {
    let values: [String]

    init(from decoder: any Decoder) throws {
        let value = try decoder.singleValueContainer()
        if let one = try? value.decode(String.self) {
            values = [one]
        } else {
            values = try value.decode([String].self)
        }
    }
}

/// A text, or a number where people leave out the quotes.
private struct TextOrNumber: Decodable {
    let text: String

    init(from decoder: any Decoder) throws {
        let value = try decoder.singleValueContainer()
        if let number = try? value.decode(Int.self) {
            text = String(number)
        } else {
            text = try value.decode(String.self)
        }
    }
}
