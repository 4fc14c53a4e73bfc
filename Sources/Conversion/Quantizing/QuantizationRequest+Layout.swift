import ModelGraph
import Quantization
import TensorFiles

extension QuantizationRequest {
    /// The plan that writes a Hub directory in a quantized layout.
    func planned(_ layout: HubLayout, _ progress: ProgressHandler?) throws -> PlannedQuantization {
        guard !output.hasSuffix(".gguf") else {
            throw ConversionError.invalid(
                "\(output): \(layout.scheme.rawValue) is a layout of Hub directories; give a folder, or a type that GGUF "
                    + "can hold")
        }
        var conversion = ConversionRequest(model: model, output: output)
        conversion.format = .safetensors
        conversion.maximumShardSize = maximumShardSize
        conversion.architecture = architecture
        conversion.isDryRun = isDryRun
        conversion.threads = threads
        let graph = try conversion.openGraph()
        if !requantizes { try refuseQuantized(graph) }
        let matrix = try importance.map { try ImportanceMatrix(path: $0) }
        try matrix?.check(against: subjects(graph))
        let tally = QuantizationTally()
        let store = method == .gptq && !isDryRun ? try hessianStore() : nil
        let work = QuantizationWork(
            importance: matrix, hessians: store, replacesNonfinite: replacesNonfinite, measures: requantizes,
            tally: tally)
        let words = "\(layout.scheme.rawValue) \(layout.groupSize ?? 0) \(method.rawValue)"
        conversion.quantization = HubQuantization(
            layout: layout, method: method, work: work, identity: identity + "\n" + words, threads: threads)
        let (plan, folder) = try conversion.planned(graph, progress: progress)
        var planned = PlannedQuantization(plan, folder: folder, tally: tally)
        planned.describe(layout, method: method, weightCount: graph.parameterCount)
        return planned
    }

    /// Tensors under the names that importance matrices know.
    private func subjects(_ graph: ModelGraph) throws -> [QuantizationSubject] {
        guard let architecture = graph.origin?.architecture else { return [] }
        let target = try graph.prepared(for: .gguf, architecture)
        return target.roles.compactMap { role in
            guard let tensor = target.tensors[role], let name = architecture.name(of: role, in: .gguf) else {
                return nil
            }
            return QuantizationSubject(name: name, role: role, shape: tensor.shape, sourceType: tensor.type)
        }
    }

    /// QP-05.
    private func refuseQuantized(_ graph: ModelGraph) throws {
        let quantized = graph.roles.compactMap { graph.tensors[$0] }.filter(\.type.isQuantized)
        if let first = quantized.first {
            throw QuantizationError.alreadyQuantized(tensor: first.name, type: first.type, count: quantized.count)
        }
        guard graph.expandedCount == 0 else {
            throw QuantizationError.alreadyQuantizedModules(file: model, count: graph.expandedCount)
        }
    }
}
