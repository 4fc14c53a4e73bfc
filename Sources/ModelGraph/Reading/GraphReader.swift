package import TensorFiles

/// Puts a checkpoint's tensors into their roles, and collects what does not fit.
struct GraphReader {
    let path: String
    let families: [Architecture]

    // MARK: Hub

    func readHub(_ checkpoint: Checkpoint) throws -> ModelGraph {
        guard let document = try checkpoint.sideDocument("config.json") else {
            throw ModelError.notAModel(
                path: path, reason: "no config.json beside the tensors, so what the model computes is unknown")
        }
        let config = Setting(document.root)
        let architecture = try Architecture.find(hub: config, file: document.file.path, among: families)
        let settings = Settings(hub: config, file: document.file.path)
        let (configuration, found) = architecture.configuration(from: settings)
        var problems = found
        guard let configuration else { throw ModelError.problems(file: document.file.path, problems) }
        let sideConfig = try checkpoint.sideDocument("quantize_config.json").map { Setting($0.root) }
        let tensors = try QuantizedCheckpoint.expand(
            checkpoint.tensors, config: config, sideConfig: sideConfig, &problems)
        var roles = RoleTable(architecture, configuration, .hub)
        roles.place(tensors, &problems)
        var graph = ModelGraph(
            configuration: configuration, tensors: roles.tensors,
            origin: ModelOrigin(
                path: path, dialect: .hub, architecture: architecture, config: config, checkpoint: checkpoint,
                folder: checkpoint.folder),
            normOffset: architecture.hub.normOffset ?? 0)
        roles.checkComplete(&problems)
        try checkOutput(&graph, &problems)
        guard problems.isEmpty else { throw ModelError.problems(file: path, problems) }
        return graph
    }

    /// A tied model must not bring an output of its own, unless it is the embedding over again.
    private func checkOutput(_ graph: inout ModelGraph, _ problems: inout [ModelProblem]) throws {
        guard graph.configuration.tiedEmbeddings, let output = graph[.output] else { return }
        guard let embedding = graph[.tokenEmbedding] else { return }
        if try output.hasSameBytes(as: embedding) {
            graph.tensors[TensorRole(.output)] = nil
            graph.origin?.notes.append(
                "\(output.name) repeats \(embedding.name) and is left out: the embeddings are tied")
            return
        }
        problems.append(
            ModelProblem(
                .tiedOutput, output.name,
                "config.json ties the embeddings (tie_word_embeddings), but this tensor differs from \(embedding.name); "
                    + "set tie_word_embeddings to false if the model was trained so, or remove the tensor"))
    }

    // MARK: Configuration and index alone

    func read(_ outline: HubOutline) throws -> ModelGraph {
        let file = outline.folder + "/config.json"
        let architecture = try Architecture.find(hub: outline.config, file: file, among: families)
        let (configuration, found) = architecture.configuration(from: Settings(hub: outline.config, file: file))
        var problems = found
        guard let configuration else { throw ModelError.problems(file: file, problems) }
        let name = outline.config[path: "torch_dtype"]?.stringValue ?? outline.config[path: "dtype"]?.stringValue
        let type: ElementType = ["float32": .f32, "float16": .f16][name ?? ""] ?? .bf16
        if let problem = QuantizedCheckpoint.unsupported(outline.config) { problems.append(problem) }
        var roles = RoleTable(architecture, configuration, .hub)
        if problems.isEmpty { roles.place(namesFrom: outline, type: type, &problems) }
        guard problems.isEmpty else { throw ModelError.problems(file: path, problems) }
        roles.checkComplete(&problems)
        guard problems.isEmpty else { throw ModelError.problems(file: path, problems) }
        var origin = ModelOrigin(
            path: path, dialect: .hub, architecture: architecture, config: outline.config, checkpoint: nil,
            folder: outline.folder)
        origin.notes.append("the tensors are not there; sizes are those that config.json demands")
        return ModelGraph(
            configuration: configuration, tensors: roles.tensors, origin: origin,
            normOffset: architecture.hub.normOffset ?? 0)
    }

    // MARK: GGUF

    func readGGUF(_ checkpoint: Checkpoint) throws -> ModelGraph {
        guard let metadata = checkpoint.gguf, let name = metadata["general.architecture"]?.string else {
            throw ModelError.notAModel(path: path, reason: "the metadata lacks general.architecture")
        }
        let architecture = try Architecture.find(
            gguf: name, family: metadata["foretoken.family"]?.string, file: path, among: families)
        let settings = Settings(gguf: checkpoint, architecture: name)
        let (found, wrong) = architecture.configuration(from: settings)
        var problems = wrong
        guard var configuration = found else { throw ModelError.problems(file: path, problems) }
        configuration.tiedEmbeddings = checkpoint[architecture.name(of: TensorRole(.output), in: .gguf) ?? ""] == nil
        var roles = RoleTable(architecture, configuration, .gguf)
        roles.place(checkpoint.tensors, &problems)
        roles.checkComplete(&problems)
        var graph = ModelGraph(
            configuration: configuration, tensors: roles.tensors,
            origin: ModelOrigin(
                path: path, dialect: .gguf, architecture: architecture, config: nil, checkpoint: checkpoint,
                folder: checkpoint.folder))
        if problems.isEmpty { try completeRotary(&graph, metadata, name, &problems) }
        guard problems.isEmpty else { throw ModelError.problems(file: path, problems) }
        return graph
    }

    /// GGUF stores some scalings as tensors of divisors.
    private func completeRotary(
        _ graph: inout ModelGraph, _ metadata: GGUFMetadata, _ name: String, _ problems: inout [ModelProblem]
    ) throws {
        func factors(_ part: TensorRole.Part) throws -> [Double]? {
            guard let tensor = graph[part] else { return nil }
            guard tensor.type == .f32 else {
                problems.append(ModelProblem(.tensorType, tensor.name, "expected F32, found \(tensor.type.rawValue)"))
                return nil
            }
            let values = try tensor.smallFloats().map { Double("\($0)") ?? Double($0) }
            guard values.allSatisfy({ $0.isFinite && $0 > 0 }) else {
                problems.append(ModelProblem(.rotaryScaling, tensor.name, "factors must be positive numbers"))
                return nil
            }
            return values
        }
        if let values = try factors(.ropeFrequencies) { graph.configuration.rotaries[0].scaling = .factors(values) }
        guard let short = try factors(.ropeFactorsShort), let long = try factors(.ropeFactorsLong) else { return }
        let context = graph.configuration.contextLength
        let original = metadata["\(name).rope.scaling.original_context_length"]?.int ?? context
        graph.configuration.rotaries[0].scaling = .longRope(
            short: short, long: long, originalContext: max(1, original))
        if metadata["\(name).rope.scaling.attn_factor"] == nil {
            graph.configuration.rotaries[0].magnitude = Architecture.longRopeMagnitude(
                factor: Double(context) / Double(max(1, original)), originalContext: original)
        }
    }
}

extension Tensor {
    /// The elements of a small F32 tensor.
    func smallFloats() throws -> [Float] {
        precondition(type == .f32, "not F32")
        var values: [Float] = []
        values.reserveCapacity(elementCount)
        try forEachRun { _, bytes in
            for offset in stride(from: 0, to: bytes.byteCount, by: 4) {
                values.append(Float(bitPattern: bytes.loadLittleEndian(offset, as: UInt32.self)))
            }
        }
        return values
    }

    /// True when two tensors have the same type, shape and bytes; stops at the first difference.
    package func hasSameBytes(as other: Tensor) throws -> Bool {
        guard type == other.type, shape == other.shape else { return false }
        let step = max(1, (1 << 20) / max(1, rowByteCount))
        for start in stride(from: 0, to: rowCount, by: step) {
            let rows = start..<min(rowCount, start + step)
            let equal = try withBytes(rows: rows) { mine in
                try other.withBytes(rows: rows) { theirs in mine.elementsEqual(theirs) }
            }
            source.release(rows: rows, rowByteCount: rowByteCount)
            other.source.release(rows: rows, rowByteCount: rowByteCount)
            if !equal { return false }
        }
        return true
    }
}
