import Kernels
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
        let known = try weights(graph, layout)
        let tally = QuantizationTally()
        let store = method == .gptq && !isDryRun ? try hessianStore() : nil
        let work = QuantizationWork(
            importance: known, hessians: store, replacesNonfinite: replacesNonfinite, measures: requantizes,
            tally: tally)
        let words = "\(layout.scheme.rawValue) \(layout.groupSize ?? 0) \(method.rawValue)"
        conversion.quantization = HubQuantization(
            layout: layout, method: method, work: work, identity: identity + "\n" + words, threads: threads)
        let (plan, folder) = try conversion.planned(graph, progress: progress)
        var planned = PlannedQuantization(plan, folder: folder, tally: tally)
        planned.describe(layout, method: method, weightCount: graph.parameterCount)
        return planned
    }

    /// The importance matrix, or for 4 bits what the model's norms tell of the columns that matter.
    private func weights(_ graph: ModelGraph, _ layout: HubLayout) throws -> ImportanceMatrix? {
        let matrix = try importance.map { try ImportanceMatrix(path: $0) }
        guard let architecture = graph.origin?.architecture else { return matrix }
        // Under the names that importance matrices know.
        let target = try graph.prepared(for: .gguf, architecture)
        var tensors: [String: Tensor] = [:]
        let subjects = target.roles.compactMap { role -> QuantizationSubject? in
            guard let tensor = target.tensors[role], let name = architecture.name(of: role, in: .gguf) else {
                return nil
            }
            tensors[name] = tensor
            return QuantizationSubject(name: name, role: role, shape: tensor.shape, sourceType: tensor.type)
        }
        if let matrix {
            try matrix.check(against: subjects)
            return matrix
        }
        return isDryRun || layout.bits > 4
            ? nil : try ImportanceMatrix.estimated(from: subjects) { try tensors[$0]?.floats() }
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
