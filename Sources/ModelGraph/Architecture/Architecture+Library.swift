import Foundation

extension Architecture {
    /// The families that come with the program, in the order in which a GGUF's architecture is matched.
    public static let builtIn: [Architecture] = documents.compactMap { name, bytes in
        guard name != "decoder" else { return nil }
        do {
            return try Architecture(parsing: bytes, file: "Families/\(name).json")
        } catch {
            // Tests read every document; reaching this is our mistake, not the user's.
            preconditionFailure("\(error)")
        }
    }

    private static let documents: [(name: String, bytes: [UInt8])] = [
        ("decoder", PackageResources.decoder_json),
        ("llama", PackageResources.llama_json),
        ("mistral", PackageResources.mistral_json),
        ("qwen2", PackageResources.qwen2_json),
        ("qwen3", PackageResources.qwen3_json),
        ("gemma2", PackageResources.gemma2_json),
        ("gemma3", PackageResources.gemma3_json),
        ("phi3", PackageResources.phi3_json),
        ("olmo2", PackageResources.olmo2_json),
        ("granite", PackageResources.granite_json),
        ("smollm3", PackageResources.smollm3_json),
    ]

    /// Reads a description; one that `extends` a family of ours states only what differs (RFC 7386).
    public init(parsing bytes: [UInt8], file: String) throws(ModelError) {
        let document = try Self.resolved(bytes, file: file, depth: 0)
        do {
            let data = try JSONEncoder().encode(document)
            self = try JSONDecoder().decode(Architecture.self, from: data)
        } catch let error as DecodingError {
            throw .description(file: file, reason: error.reason)
        } catch {
            throw .description(file: file, reason: "\(error)")
        }
        let parts = Set(TensorRole.Part.allCases.map(\.rawValue))
        if let unknown = tensors.keys.sorted().first(where: { !parts.contains($0) }) {
            throw .description(
                file: file,
                reason: "tensors.\(unknown): no such role; there are \(parts.sorted().joined(separator: ", "))")
        }
        if rotaries.isEmpty || rotaries.count > 2 {
            throw .description(file: file, reason: "rotaries: expected one or two, found \(rotaries.count)")
        }
        for required in FieldName.allCases where fields[required.rawValue] == nil {
            throw .description(file: file, reason: "fields.\(required.rawValue): required, but absent")
        }
    }

    /// Reads a description from a file.
    public init(contentsOf path: String) throws(ModelError) {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw .description(file: path, reason: "the file cannot be read")
        }
        guard data.count <= 1 << 20 else { throw .description(file: path, reason: "larger than 1 MiB") }
        try self.init(parsing: [UInt8](data), file: path)
    }

    private static func resolved(_ bytes: [UInt8], file: String, depth: Int) throws(ModelError) -> Setting {
        let document: Setting
        do {
            document = try JSONDecoder().decode(Setting.self, from: Data(bytes))
        } catch {
            throw .description(file: file, reason: "it is not JSON")
        }
        guard case .object(var members) = document else {
            throw .description(file: file, reason: "expected a JSON object")
        }
        guard let base = members["extends"]?.stringValue else { return document }
        guard depth < 8, let parent = documents.first(where: { $0.name == base }) else {
            let names = documents.map(\.name).joined(separator: ", ")
            throw .description(file: file, reason: "extends \"\(base)\", which is none of \(names)")
        }
        members["extends"] = nil
        return try resolved(parent.bytes, file: base, depth: depth + 1).merging(patch: .object(members))
    }
}

extension Architecture {
    /// The description for a Hub configuration, by `architectures` and `model_type`.
    static func find(
        hub config: Setting, file: String, among families: [Architecture]
    ) throws(ModelError) -> Architecture {
        let classes = config[path: "architectures"]?.arrayValue?.compactMap(\.stringValue) ?? []
        let type = config[path: "model_type"]?.stringValue
        // A class names the computation; the type alone serves where no class is given.
        let byClass = families.first { family in classes.contains { family.hub.architectures.contains($0) } }
        let byType = families.first { family in type.map { family.hub.modelTypes.contains($0) } ?? false }
        if let found = byClass ?? (classes.isEmpty ? byType : nil) { return found }
        let name = classes.first ?? type ?? "a model without \"architectures\" and \"model_type\""
        throw .unknownFamily(file: file, found: name, known: families.map(\.family))
    }

    static func find(
        gguf architecture: String, family: String?, file: String, among families: [Architecture]
    ) throws(ModelError) -> Architecture {
        let fitting = families.filter { $0.gguf.architecture == architecture }
        if let found = fitting.first(where: { $0.family == family }) ?? fitting.first { return found }
        throw .unknownFamily(file: file, found: architecture, known: families.map(\.family))
    }
}

extension DecodingError {
    /// Where in the document, and what.
    var reason: String {
        func text(_ context: Context) -> String {
            let path = context.codingPath.map { $0.intValue.map { "[\($0)]" } ?? $0.stringValue }
            return "\(path.joined(separator: ".")): \(context.debugDescription)"
        }
        switch self {
        case .keyNotFound(let key, let context):
            return
                "\((context.codingPath.map(\.stringValue) + [key.stringValue]).joined(separator: ".")): required, but absent"
        case .typeMismatch(_, let context), .valueNotFound(_, let context), .dataCorrupted(let context):
            return text(context)
        @unknown default: return "\(self)"
        }
    }
}
