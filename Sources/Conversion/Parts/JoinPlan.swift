import Foundation
import ModelGraph
import TensorFiles

/// Puts together what `--part I/N` runs made: formats/part.md.
public struct JoinPlan {
    private struct Part {
        let path: String
        let number: Int
        let file: GGUFFile
    }

    private let parts: [Part]

    /// Opens the parts and checks that they are all there, once each, and of one conversion.
    public init(_ paths: [String]) throws {
        var parts: [Part] = []
        var count: Int?
        for path in paths {
            let file = try GGUFFile(path: path)
            guard file.metadata["general.architecture"]?.string == "foretoken-part",
                let number = file.metadata[PartKey.number]?.int, let whole = file.metadata[PartKey.count]?.int,
                number >= 1, number <= whole
            else { throw ConversionError.parts(rule: "PT-01", reason: "\(path): not a part that --part wrote") }
            if let count, count != whole {
                throw ConversionError.parts(
                    rule: "PT-02", reason: "\(path): part \(number) of \(whole), but \(paths[0]) is one of \(count)")
            }
            if let twin = parts.first(where: { $0.number == number }) {
                throw ConversionError.parts(rule: "PT-03", reason: "\(path): part \(number) again, as \(twin.path)")
            }
            count = whole
            parts.append(Part(path: path, number: number, file: file))
        }
        let missing = (1...(count ?? 1)).filter { number in !parts.contains { $0.number == number } }
        guard missing.isEmpty else {
            let list = missing.map(String.init).joined(separator: ", ")
            throw ConversionError.parts(rule: "PT-04", reason: "parts \(list) of \(count ?? 1) are missing")
        }
        self.parts = parts.sorted { $0.number < $1.number }
        try checkAlike()
    }

    /// Everything but a part's number and its tensors must be the same in all.
    private func checkAlike() throws {
        let own: Set<String> = [PartKey.number, OutputPlan.ggufDigestKey]
        for part in parts.dropFirst() {
            for key in Set(part.file.metadata.keys).union(parts[0].file.metadata.keys).subtracting(own).sorted()
            where part.file.metadata[key] != parts[0].file.metadata[key] {
                throw ConversionError.parts(
                    rule: "PT-05",
                    reason: "\(part.path) and \(parts[0].path) are of different conversions: they differ in \(key)")
            }
        }
    }

    /// The plan that writes the whole output, byte for byte what one run would have written.
    public func plan(name: String?) throws -> ConversionPlan {
        let metadata = parts[0].file.metadata
        let declarations = try declarations(metadata)
        var recipe = try recipe(metadata)
        if let name { recipe.name = name }
        var pieces: [String: Tensor] = [:]
        for part in parts { for tensor in part.file.tensors { pieces[tensor.name] = tensor } }
        let order = try recipe.plan(declarations).writingOrder
        var entries: [ConversionPlan.Entry?] = declarations.map { _ in nil }
        for (position, index) in order.enumerated() {
            let declaration = declarations[index]
            let piece = ConversionPlan.partName(position)
            guard let bytes = pieces[piece], bytes.byteCount == declaration.byteCount,
                let tensor = Tensor(
                    name: declaration.name, shape: declaration.shape, type: declaration.type, source: bytes.source)
            else {
                throw ConversionError.parts(
                    rule: "PT-06", reason: "no part holds the \(declaration.byteCount) bytes of \(declaration.name)")
            }
            entries[index] = try .init(copying: tensor, as: declaration.name, role: nil, fate: "joined")
        }
        return try ConversionPlan(
            entries: entries.compactMap { $0 }, recipe: recipe,
            identity: parts.map { "\($0.path) \($0.file.file.byteCount)" }.joined(separator: "\n"))
    }

    /// True when the whole is a GGUF, false when it is a Hub directory.
    public var isGGUF: Bool { parts[0].file.metadata[PartKey.format]?.string == "gguf" }

    private func damaged(_ key: String) -> ConversionError {
        .parts(rule: "PT-07", reason: "\(parts[0].path): \(key) is missing or damaged")
    }

    private func declarations(_ metadata: GGUFMetadata) throws -> [TensorDeclaration] {
        guard let names = metadata[PartKey.names]?.array?.strings,
            let types = metadata[PartKey.types]?.array?.strings, types.count == names.count,
            let ranks = metadata[PartKey.ranks]?.array?.integers, ranks.count == names.count,
            let shapes = metadata[PartKey.shapes]?.array?.integers, ranks.allSatisfy({ (0...8).contains($0) }),
            ranks.reduce(0, +) == shapes.count
        else { throw damaged(PartKey.names) }
        var next = 0
        return try names.indices.map { index in
            guard let type = ElementType(rawValue: types[index]) else { throw damaged(PartKey.types) }
            defer { next += ranks[index] }
            return try TensorDeclaration(
                name: names[index], shape: Array(shapes[next..<next + ranks[index]]), type: type)
        }
    }

    private func recipe(_ metadata: GGUFMetadata) throws -> OutputRecipe {
        let keys = metadata.entries.filter { $0.key.hasPrefix(PartKey.metadata) }
            .map { (key: String($0.key.dropFirst(PartKey.metadata.count)), value: $0.value) }
        let content: OutputRecipe.Content
        switch metadata[PartKey.format]?.string {
        case "gguf":
            var whole = GGUFMetadata()
            for (key, value) in keys { whole[key] = value }
            content = .gguf(whole)
        case "safetensors": content = .safetensors(keys.map { ($0.key, $0.value.string ?? "") })
        default: throw damaged(PartKey.format)
        }
        let names = metadata[PartKey.sideNames]?.array?.strings ?? []
        let sideFiles = try names.enumerated().map { index, name in
            guard !name.contains("/"), !name.isEmpty,
                let bytes = metadata[PartKey.sideContent + "\(index)"]?.array?.integers
            else { throw damaged(PartKey.sideNames) }
            return (name, bytes.map { UInt8(truncatingIfNeeded: $0) })
        }
        let limit = metadata[PartKey.shardSize]?.int ?? 0
        return OutputRecipe(
            content, name: content.isGGUF ? "model.gguf" : "model.safetensors",
            maximumShardSize: limit > 0 ? limit : nil, sideFiles: sideFiles)
    }
}

extension OutputRecipe.Content {
    fileprivate var isGGUF: Bool { if case .gguf = self { true } else { false } }
}
