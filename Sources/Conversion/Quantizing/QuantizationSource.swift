import Foundation
import Kernels
import ModelGraph
import Quantization
import TensorFiles

/// The model to quantize, seen as the GGUF it will become: names, order, metadata, and the weights behind them.
struct QuantizationSource: Sendable {
    /// The plan that would write the model with its own types.
    let base: ConversionPlan
    let folder: String
    let subjects: [QuantizationSubject]
    /// By name, weights in the order and row order of the output.
    let tensors: [String: Tensor]
    let context: QuantizationContext
    /// Weights of a Hub directory that its own layout quantizes.
    private let expandedCount: Int
    private let path: String
    private let recipe: OutputRecipe

    init(_ request: QuantizationRequest, progress: ProgressHandler?) throws {
        guard request.output.hasSuffix(".gguf") else {
            throw ConversionError.invalid(
                "\(request.output): presets, types, recipes and budgets need a .gguf file; for a Hub directory --type is "
                    + HubLayout.names.joined(separator: ", "))
        }
        let url = URL(fileURLWithPath: request.output)
        folder = url.deletingLastPathComponent().path
        path = request.model
        if request.model.hasSuffix(".gguf") {
            let checkpoint = try Checkpoint.open(request.model)
            base = try Self.base(checkpoint, name: url.lastPathComponent, request.maximumShardSize)
            context = Self.context(checkpoint.gguf ?? GGUFMetadata())
            expandedCount = 0
        } else {
            var conversion = ConversionRequest(model: request.model, output: request.output)
            conversion.format = .gguf
            conversion.maximumShardSize = request.maximumShardSize
            conversion.architecture = request.architecture
            conversion.isDryRun = request.isDryRun
            conversion.threads = request.threads
            base = try conversion.planned(progress: progress).plan
            let graph = try ModelGraph.open(
                request.model, architecture: request.architecture,
                weights: request.isDryRun ? .mayBeAbsent : .required)
            context = QuantizationContext(graph.configuration, hasImportance: false)
            expandedCount = graph.expandedCount
        }
        guard let recipe = base.recipe else { throw ConversionError.invalid("this model cannot be laid out anew") }
        self.recipe = recipe
        subjects = base.entries.map { entry in
            QuantizationSubject(
                name: entry.declaration.name, role: entry.role, shape: entry.declaration.shape,
                sourceType: entry.declaration.type)
        }
        var tensors: [String: Tensor] = [:]
        for entry in base.entries {
            if case .copied(let tensor) = entry.rows { tensors[entry.declaration.name] = tensor }
        }
        self.tensors = tensors
    }

    var alignment: Int {
        if case .gguf(let metadata) = recipe.content { metadata.alignment } else { 32 }
    }

    /// A GGUF of any family: what we do not know is carried along.
    private static func base(_ checkpoint: Checkpoint, name: String, _ shard: Int?) throws -> ConversionPlan {
        let entries = try checkpoint.tensors.map { tensor in
            try ConversionPlan.Entry(
                copying: tensor, as: tensor.name, role: nil, fate: "\(tensor.type.rawValue) kept")
        }
        let identity = checkpoint.files.map(\.file).map { file in
            let attributes = try? FileManager.default.attributesOfItem(atPath: file.path)
            let time = (attributes?[.modificationDate] as? Date)?.timeIntervalSince1970 ?? 0
            return "\(file.name) \(file.byteCount) \(time)"
        }
        return try ConversionPlan(
            entries: entries,
            recipe: OutputRecipe(.gguf(checkpoint.gguf ?? GGUFMetadata()), name: name, maximumShardSize: shard),
            identity: identity.joined(separator: "\n"))
    }

    private static func context(_ metadata: GGUFMetadata) -> QuantizationContext {
        let family = metadata["general.architecture"]?.string ?? ""
        func number(_ key: String) -> Int? {
            guard let value = metadata["\(family).\(key)"] else { return nil }
            return switch value {
            case .uint32(let number): Int(number)
            case .int32(let number): Int(number)
            case .uint64(let number): Int(exactly: number)
            case .array(let array): array.integers?.first { $0 > 0 }
            default: nil
            }
        }
        let heads = number("attention.head_count") ?? 1
        return QuantizationContext(
            layerCount: number("block_count") ?? 0, headCount: heads,
            keyValueHeadCount: number("attention.head_count_kv") ?? heads, expertCount: number("expert_count") ?? 0)
    }

    /// QP-05.
    func refuseQuantized() throws {
        let quantized = subjects.filter { $0.sourceType.isQuantized }
        if let first = quantized.first {
            throw QuantizationError.alreadyQuantized(
                tensor: first.name, type: first.sourceType, count: quantized.count)
        }
        guard expandedCount == 0 else {
            throw QuantizationError.alreadyQuantizedModules(file: path, count: expandedCount)
        }
    }

    /// Bytes of the file that a plan gives.
    func byteCount(_ types: TypePlan) throws -> Int {
        let declarations = try types.entries.map { entry in
            try TensorDeclaration(name: entry.subject.name, shape: entry.subject.shape, type: entry.type)
        }
        return try recipe(for: types).plan(declarations).byteCount
    }

    private func recipe(for types: TypePlan) -> OutputRecipe {
        guard case .gguf(var metadata) = recipe.content else { return recipe }
        var result = recipe
        var elements: [ElementType: Int] = [:]
        for entry in types.entries { elements[entry.type, default: 0] += entry.subject.elementCount }
        let main = elements.max { ($0.value, $1.key.rawValue) < ($1.value, $0.key.rawValue) }?.key ?? .f32
        metadata["general.file_type"] = .uint32(types.fileType ?? TypeChoice.fileType(main))
        metadata["general.quantization_version"] = .uint32(2)
        result.content = .gguf(metadata)
        return result
    }

    /// What the model's norms tell of the columns that matter.
    func estimatedImportance() throws -> ImportanceMatrix {
        let entries = Dictionary(base.entries.map { ($0.declaration.name, $0) }) { first, _ in first }
        return try ImportanceMatrix.estimated(from: subjects) { norm in try entries[norm]?.values() }
    }

    /// The conversion that carries out a plan.
    func plan(
        _ types: TypePlan, importance: ImportanceMatrix?, hessians: HessianStore?, replacesNonfinite: Bool,
        measures: Bool, tally: QuantizationTally, identity: String
    ) throws -> ConversionPlan {
        let work = QuantizationWork(
            importance: importance, hessians: hessians, replacesNonfinite: replacesNonfinite, measures: measures,
            tally: tally)
        let entries = try zip(base.entries, types.entries).map { entry, decision in
            try work.entry(entry, decision, tensor: tensors[decision.subject.name])
        }
        let choices = types.entries.map { "\($0.subject.name) \($0.type.rawValue) \($0.method.rawValue)" }
        return try ConversionPlan(
            entries: entries, recipe: recipe(for: types),
            identity: ([base.identity, identity] + choices).joined(separator: "\n"), notes: base.notes)
    }
}
