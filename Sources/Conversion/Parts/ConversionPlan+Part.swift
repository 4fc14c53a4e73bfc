import Foundation
import ModelGraph
import TensorFiles

/// Keys of a part file: formats/part.md.
enum PartKey {
    static let prefix = "foretoken.part."
    static let number = prefix + "number"
    static let count = prefix + "count"
    static let format = prefix + "format"
    static let shardSize = prefix + "shard_size"
    static let names = prefix + "tensor.names"
    static let types = prefix + "tensor.types"
    static let ranks = prefix + "tensor.ranks"
    static let shapes = prefix + "tensor.shapes"
    static let sideNames = prefix + "side.names"
    static let sideContent = prefix + "side.content."
    /// In front of the keys of the metadata that the joined file gets.
    static let metadata = prefix + "kv."
}

extension ConversionPlan {
    /// The plan that writes part `number` (from 1) of `count`: a file with some of the tensors' bytes and everything
    /// that `join` needs to lay out the whole. Parts are runs of the writing order with about equal bytes.
    public func part(_ number: Int, of count: Int, name: String) throws -> ConversionPlan {
        guard let recipe else { throw ConversionError.invalid("this plan cannot be split into parts") }
        precondition(number >= 1 && number <= count, "part \(number) of \(count)")
        let order = output.writingOrder
        let total = entries.reduce(0.0) { $0 + Double($1.declaration.byteCount) }
        var before = 0.0
        var own: [Entry] = []
        for (position, index) in order.enumerated() {
            let entry = entries[index]
            let share = Int(before / max(1, total) * Double(count))
            before += Double(entry.declaration.byteCount)
            guard min(share, count - 1) == number - 1 else { continue }
            own.append(try entry.asBytes(named: Self.partName(position)))
        }
        var metadata = try wholeDescription(recipe)
        metadata[PartKey.number] = .uint32(UInt32(number))
        metadata[PartKey.count] = .uint32(UInt32(count))
        return try ConversionPlan(
            entries: own, recipe: OutputRecipe(.gguf(metadata), name: name),
            identity: identity + "\npart \(number) of \(count)", notes: notes)
    }

    static func partName(_ position: Int) -> String { String(format: "%08d", position) }

    /// Declarations, metadata and side files of the whole output, the same in every part.
    private func wholeDescription(_ recipe: OutputRecipe) throws -> GGUFMetadata {
        var metadata = GGUFMetadata()
        metadata["general.architecture"] = .string("foretoken-part")
        metadata[PartKey.shardSize] = .uint64(UInt64(recipe.maximumShardSize ?? 0))
        let declarations = entries.map(\.declaration)
        metadata[PartKey.names] = .array(GGUFArray(declarations.map(\.name)))
        metadata[PartKey.types] = .array(GGUFArray(declarations.map(\.type.rawValue)))
        metadata[PartKey.ranks] = .array(GGUFArray(declarations.map { UInt32($0.shape.count) }))
        metadata[PartKey.shapes] = .array(GGUFArray(declarations.flatMap { $0.shape.map { UInt64($0) } }))
        metadata[PartKey.sideNames] = .array(GGUFArray(recipe.sideFiles.map(\.name)))
        for (index, file) in recipe.sideFiles.enumerated() {
            metadata[PartKey.sideContent + "\(index)"] = .array(GGUFArray(file.bytes))
        }
        switch recipe.content {
        case .gguf(let keys):
            metadata[PartKey.format] = .string("gguf")
            for entry in keys.entries { metadata[PartKey.metadata + entry.key] = entry.value }
        case .safetensors(let pairs):
            metadata[PartKey.format] = .string("safetensors")
            for (key, value) in pairs { metadata[PartKey.metadata + key] = .string(value) }
        }
        return metadata
    }
}

extension ConversionPlan.Entry {
    /// The same bytes, declared as a vector of them, since a part holds any type.
    fileprivate func asBytes(named name: String) throws -> ConversionPlan.Entry {
        let declaration = try TensorDeclaration(
            name: name, shape: rowCount == 0 ? [0] : [rowCount, rowByteCount], type: .i8)
        return .init(
            declaration, role: role, rows: rows, rowMultiple: rowMultiple, followsPrevious: followsPrevious,
            sourceType: sourceType, sourceByteCount: sourceByteCount, fate: fate)
    }
}
