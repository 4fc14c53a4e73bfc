/// One value of a model's settings, as `config.json` or a GGUF's metadata states it.
public enum Setting: Hashable, Sendable {
    case null
    case bool(Bool)
    case integer(Int)
    case number(Double)
    case string(String)
    case array([Setting])
    case object([String: Setting])
}

extension Setting {
    /// The number it is; `true` counts as 1 and `false` as 0, text and the rest as none.
    public var numberValue: Double? {
        switch self {
        case .integer(let value): Double(value)
        case .number(let value): value
        case .bool(let value): value ? 1 : 0
        default: nil
        }
    }

    public var stringValue: String? {
        if case .string(let value) = self { value } else { nil }
    }

    public var boolValue: Bool? {
        if case .bool(let value) = self { value } else { nil }
    }

    public var arrayValue: [Setting]? {
        if case .array(let value) = self { value } else { nil }
    }

    public var objectValue: [String: Setting]? {
        if case .object(let value) = self { value } else { nil }
    }

    /// The value at a path of object keys joined by dots; `nil` where a step is missing or null.
    public subscript(path path: String) -> Setting? {
        var value = self
        for step in path.split(separator: ".") {
            guard case .object(let members) = value, let next = members[String(step)] else { return nil }
            value = next
        }
        return value == .null ? nil : value
    }

    /// RFC 7386: members of `patch` replace members here, objects merge, null removes.
    public func merging(patch: Setting) -> Setting {
        guard case .object(let changes) = patch else { return patch }
        var members = objectValue ?? [:]
        for (key, change) in changes {
            members[key] = change == .null ? nil : (members[key] ?? .null).merging(patch: change)
        }
        return .object(members)
    }
}

extension Setting: CustomStringConvertible {
    /// As JSON would write it, cut short where it is long.
    public var description: String {
        let text =
            switch self {
            case .null: "null"
            case .bool(let value): value ? "true" : "false"
            case .integer(let value): "\(value)"
            case .number(let value): "\(value)"
            case .string(let value): "\"\(value)\""
            case .array(let values): "[" + values.prefix(8).map(\.description).joined(separator: ", ") + "]"
            case .object(let members): "{" + members.keys.sorted().prefix(8).joined(separator: ", ") + "}"
            }
        return text.count > 80 ? text.prefix(80) + "…" : text
    }
}

extension Setting: Codable {
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let value = try? container.decode(Bool.self) {
            self = .bool(value)
        } else if let value = try? container.decode(Int.self) {
            self = .integer(value)
        } else if let value = try? container.decode(Double.self) {
            self = .number(value)
        } else if let value = try? container.decode(String.self) {
            self = .string(value)
        } else if let value = try? container.decode([Setting].self) {
            self = .array(value)
        } else {
            self = .object(try container.decode([String: Setting].self))
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .null: try container.encodeNil()
        case .bool(let value): try container.encode(value)
        case .integer(let value): try container.encode(value)
        case .number(let value): try container.encode(value)
        case .string(let value): try container.encode(value)
        case .array(let value): try container.encode(value)
        case .object(let value): try container.encode(value)
        }
    }
}
