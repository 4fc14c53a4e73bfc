/// The two ways in which a model's files name things.
public enum Dialect: String, Hashable, Sendable, Codable {
    /// `config.json` and safetensors, as on the Hub.
    case hub
    case gguf
}

/// A model's settings in one dialect, looked up by the names that a family's description gives.
///
/// A Hub name is a path of object keys joined by dots (`rope_parameters.rope_theta`). A GGUF name is a metadata key
/// in which `{arch}` stands for the file's `general.architecture`; `count(key)` is the length of an array and
/// `rows(tensor)` a tensor's outermost dimension.
public struct Settings: Sendable {
    public let dialect: Dialect
    /// The file, for messages.
    public let file: String
    private let lookUp: @Sendable (String) -> Setting?
    private let lengthOfArray: @Sendable (String) -> Int?
    private let rowsOfTensor: @Sendable (String) -> Int?
    private let architecture: String

    public init(hub document: Setting, file: String) {
        dialect = .hub
        self.file = file
        lookUp = { document[path: $0] }
        lengthOfArray = { document[path: $0]?.arrayValue?.count }
        rowsOfTensor = { _ in nil }
        architecture = ""
    }

    /// - Parameters:
    ///   - value: the metadata value under a key; long arrays may be left out.
    ///   - count: the length of the array under a key.
    ///   - rows: the outermost dimension of a tensor.
    public init(
        gguf architecture: String, file: String, value: @escaping @Sendable (String) -> Setting?,
        count: @escaping @Sendable (String) -> Int?, rows: @escaping @Sendable (String) -> Int?
    ) {
        dialect = .gguf
        self.file = file
        self.architecture = architecture
        lookUp = value
        lengthOfArray = count
        rowsOfTensor = rows
    }

    /// A name as the file spells it.
    public func spelled(_ name: String) -> String { name.replacing("{arch}", with: architecture) }

    /// The value under `name`; `nil` when absent or null.
    public subscript(name: String) -> Setting? {
        let name = spelled(name)
        if name.hasSuffix(")") {
            if name.hasPrefix("count(") {
                return lengthOfArray(String(name.dropFirst(6).dropLast())).map { .integer($0) }
            }
            if name.hasPrefix("rows(") {
                return rowsOfTensor(String(name.dropFirst(5).dropLast())).map { .integer($0) }
            }
        }
        let value = lookUp(name)
        return value == .null ? nil : value
    }

    /// The first of `names` that has a value, with the name it was found under.
    public func first(of names: [String]) -> (name: String, value: Setting)? {
        for name in names {
            if let value = self[name] { return (name, value) }
        }
        return nil
    }
}
