import Kernels
import ModelGraph
import TensorFiles

/// What a GGUF made from a Hub directory remembers of it, so that the way back gives the same files
/// (formats/gguf-metadata.md).
enum HubMemory {
    /// The text of `config.json`.
    static let configKey = "foretoken.hub.config"
    /// The text of `generation_config.json`.
    static let generationKey = "foretoken.hub.generation_config"
    /// Element type of most tensors, and the names and types of the others.
    static let typeKey = "foretoken.hub.type"
    static let otherNamesKey = "foretoken.hub.other_types.names"
    static let otherTypesKey = "foretoken.hub.other_types.types"

    /// The text of a file of the Hub directory, if it is small and text.
    static func text(of name: String, _ graph: ModelGraph) -> String? {
        guard let file = try? graph.origin?.checkpoint?.sideFile(name), file.byteCount <= 1 << 16 else { return nil }
        return file.withBytes { $0.text }
    }

    static func remember(typesOf graph: ModelGraph, in metadata: inout GGUFMetadata) {
        var elements: [ElementType: Int] = [:]
        for tensor in graph.tensors.values { elements[tensor.type, default: 0] += tensor.elementCount }
        guard let main = elements.max(by: { ($0.value, $1.key.rawValue) < ($1.value, $0.key.rawValue) })?.key else {
            return
        }
        metadata[typeKey] = .string(main.rawValue)
        let others = graph.roles.filter { graph.tensors[$0]?.type != main }
        guard !others.isEmpty else { return }
        metadata[otherNamesKey] = .array(GGUFArray(others.map(\.description)))
        metadata[otherTypesKey] = .array(GGUFArray(others.compactMap { graph.tensors[$0]?.type.rawValue }))
    }

    /// A norm's bytes as the Hub stored them, where the offset's coming and going would change them.
    private static func exactKey(_ role: TensorRole) -> String { "foretoken.hub.exact.\(role)" }

    /// Adding an offset in single precision loses the low bits of very small weights; those tensors are kept whole.
    static func remember(exactNormsOf graph: ModelGraph, in metadata: inout GGUFMetadata) throws {
        guard graph.normOffset != 0 else { return }
        let offset = Float(graph.normOffset)
        for role in graph.roles where role.part.isNorm {
            guard let tensor = graph.tensors[role] else { continue }
            guard let values = try floats(of: tensor), values.contains(where: { ($0 + offset) - offset != $0 }) else {
                continue
            }
            let bytes = try tensor.withBytes(rows: 0..<tensor.rowCount) { $0.copied() }
            metadata[exactKey(role)] = .array(GGUFArray(bytes))
        }
    }

    /// `nil` where only an index is there.
    private static func floats(of tensor: Tensor) throws -> [Float]? {
        do { return try tensor.floats() } catch ModelError.absent { return nil }
    }

    /// The norm as the Hub stored it, if it was kept.
    static func exactNorm(_ role: TensorRole, like tensor: Tensor, type: ElementType, in metadata: GGUFMetadata?)
        -> Tensor?
    {
        guard let kept = metadata?[exactKey(role)]?.array?.integers else { return nil }
        let bytes = kept.map { UInt8(truncatingIfNeeded: $0) }
        let exact = Tensor(name: tensor.name, shape: tensor.shape, type: type, source: MemorySource(bytes))
        return exact?.byteCount == bytes.count ? exact : nil
    }

    /// The types that the Hub directory had, by role; empty when the file does not say.
    static func types(in metadata: GGUFMetadata) -> (main: ElementType, others: [String: ElementType])? {
        guard let main = metadata[typeKey]?.string.flatMap(ElementType.init(rawValue:)) else { return nil }
        let names = metadata[otherNamesKey]?.array?.strings ?? []
        let types = metadata[otherTypesKey]?.array?.strings ?? []
        guard names.count == types.count else { return (main, [:]) }
        let pairs = zip(names, types).compactMap { name, type in ElementType(rawValue: type).map { (name, $0) } }
        return (main, Dictionary(pairs, uniquingKeysWith: { first, _ in first }))
    }
}
