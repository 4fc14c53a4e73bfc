import TensorFiles

/// Recognises the quantized layouts of the Hub and gives their modules back as plain tensors (formats/checkpoints.md).
///
/// The scheme is named by `quantization_config` (`quantization` for MLX) in `config.json`; older GPTQ checkpoints
/// state it in `quantize_config.json`.
struct QuantizedCheckpoint {
    let settings: Setting
    private let byName: [String: Tensor]
    private let names: [String]
    private var problems: [ModelProblem] = []

    /// The plain tensors of a checkpoint, in the order of the file; those of an unquantized one unchanged.
    static func expand(
        _ tensors: [Tensor], config: Setting, sideConfig: Setting?, _ problems: inout [ModelProblem]
    ) throws -> [Tensor] {
        guard let settings = config[path: "quantization_config"] ?? config[path: "quantization"] ?? sideConfig else {
            return tensors
        }
        var checkpoint = QuantizedCheckpoint(settings: settings, tensors: tensors)
        let expanded = try checkpoint.expand(isMLX: config[path: "quantization"] != nil)
        problems += checkpoint.problems
        return expanded
    }

    /// Why nothing can be expanded from names alone, if it cannot; `nil` for layouts we read.
    static func unsupported(_ config: Setting) -> ModelProblem? {
        guard let settings = config[path: "quantization_config"] ?? config[path: "quantization"] else { return nil }
        let method = settings[path: "quant_method"]?.stringValue
        if config[path: "quantization"] != nil, method == nil { return mlxProblem(settings) }
        switch method {
        case "gptq", "awq", "compressed-tensors", "fp8": return nil
        case "bitsandbytes":
            return settings[path: "load_in_8bit"]?.boolValue == true
                ? ModelProblem(
                    .quantization, "quantization_config",
                    "bitsandbytes 8-bit (LLM.int8) is not supported; nf4 and fp4 are") : nil
        default:
            return ModelProblem(
                .quantization, "quantization_config",
                "method \(method.map { "\"\($0)\"" } ?? "not named") is not supported; we read gptq, awq, "
                    + "compressed-tensors, bitsandbytes, fp8 and MLX's affine")
        }
    }

    /// The names of an index with every quantized module's tensors taken together as its plain weight, and which
    /// weights those are.
    static func plainNames(
        _ shards: [String: String], config: Setting
    ) -> (shards: [String: String], expanded: Set<String>) {
        guard config[path: "quantization_config"] != nil || config[path: "quantization"] != nil else {
            return (shards, [])
        }
        let layouts: [(marker: String, endings: [String])] = [
            (".qweight", GPTQ.endings), (".weight_packed", PackedIntegers.endings), (".scales", MLXAffine.endings),
            (".weight_scale_inv", ScaledWeights.endings), (".weight_scale", ScaledWeights.endings),
            (".weight.absmax", NormalFloat.endings),
        ]
        guard
            let (marker, endings) = layouts.first(where: { layout in
                shards.keys.contains { $0.hasSuffix(layout.marker) }
            })
        else { return (shards, []) }
        let modules = Set(shards.keys.filter { $0.hasSuffix(marker) }.map { String($0.dropLast(marker.count)) })
        var plain: [String: String] = [:]
        for (name, shard) in shards {
            if let module = modules.first(owning: name, endings: endings) {
                plain[module + ".weight"] = shard
            } else {
                plain[name] = shard
            }
        }
        return (plain, Set(modules.map { $0 + ".weight" }))
    }

    private static func mlxProblem(_ settings: Setting) -> ModelProblem? {
        let mode = settings[path: "mode"]?.stringValue ?? "affine"
        return mode == "affine"
            ? nil : ModelProblem(.quantization, "quantization.mode", "\"\(mode)\" is not supported, only affine")
    }

    private init(settings: Setting, tensors: [Tensor]) {
        self.settings = settings
        names = tensors.map(\.name)
        byName = Dictionary(tensors.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    }

    private mutating func expand(isMLX: Bool) throws -> [Tensor] {
        if isMLX, settings[path: "quant_method"] == nil {
            if let problem = Self.mlxProblem(settings) { problems.append(problem) }
            return try expand(marker: ".scales", with: MLXAffine.init)
        }
        switch settings[path: "quant_method"]?.stringValue ?? "gptq" {
        case "gptq": return try expand(marker: ".qweight", with: GPTQ.init)
        case "awq":
            if let version = settings[path: "version"]?.stringValue, version.lowercased() != "gemm" {
                problems.append(
                    ModelProblem(
                        .quantization, "quantization_config.version", "\"\(version)\" is not supported, only gemm"))
            }
            return try expand(marker: ".qweight", with: AWQ.init)
        case "compressed-tensors":
            let packed = byName.keys.contains { $0.hasSuffix(".weight_packed") }
            return packed
                ? try expand(marker: ".weight_packed", with: PackedIntegers.init)
                : try expand(marker: ".weight_scale", with: ScaledWeights.init)
        case "fp8":
            return try expand(
                marker: byName.keys.contains { $0.hasSuffix(".weight_scale_inv") }
                    ? ".weight_scale_inv" : ".weight_scale",
                with: ScaledWeights.init)
        case "bitsandbytes": return try expand(marker: ".weight.absmax", with: NormalFloat.init)
        default:
            if let problem = Self.unsupported(.object(["quantization_config": settings])) { problems.append(problem) }
            return []
        }
    }

    /// Replaces each module that has a tensor with the marker's ending by one plain `.weight`, where its first tensor
    /// stood; everything else stays.
    private mutating func expand<Layout: QuantizedLayout>(
        marker: String, with make: (QuantizedModule) throws -> Layout
    ) throws -> [Tensor] {
        let modules = Set(names.filter { $0.hasSuffix(marker) }.map { String($0.dropLast(marker.count)) })
        var done: Set<String> = []
        var result: [Tensor] = []
        for name in names {
            guard let tensor = byName[name] else { continue }
            guard let module = modules.first(owning: name, endings: Layout.endings) else {
                result.append(tensor)
                continue
            }
            guard done.insert(module).inserted else { continue }
            do {
                let layout = try make(QuantizedModule(name: module, tensors: byName, settings: settings))
                result.append(try layout.tensor())
            } catch ModelError.problems(_, let found) {
                problems += found
            }
        }
        return result
    }
}

extension Set<String> {
    fileprivate func first(owning name: String, endings: [String]) -> String? {
        for ending in endings where name.hasSuffix(ending) {
            let module = String(name.dropLast(ending.count))
            if contains(module) { return module }
        }
        return nil
    }
}

/// The tensors of one quantized linear or embedding.
struct QuantizedModule {
    let name: String
    let tensors: [String: Tensor]
    let settings: Setting

    var weightName: String { name + ".weight" }

    func optional(_ ending: String) -> Tensor? { tensors[name + ending] }

    func required(_ ending: String, dimensions: Int? = nil) throws -> Tensor {
        guard let tensor = tensors[name + ending] else { throw problem("\(name)\(ending) is missing") }
        if let dimensions, tensor.shape.count != dimensions {
            throw problem("\(name)\(ending) has shape \(tensor.shape), expected \(dimensions) dimensions")
        }
        return tensor
    }

    func problem(_ message: String) -> ModelError {
        .problems(file: name, [ModelProblem(.quantization, name, message)])
    }

    func expect(_ tensor: Tensor, _ shape: [Int]) throws {
        guard tensor.shape == shape else {
            throw problem("\(tensor.name) has shape \(tensor.shape), expected \(shape)")
        }
    }

    func integer(_ key: String) -> Int? { settings[path: key]?.numberValue.flatMap { Int(exactly: $0) } }

    func make(rows: Int, columns: Int, _ decode: @escaping ExpandedSource.RowDecoder) throws -> Tensor {
        guard let tensor = Tensor.expanded(weightName, rows: rows, columns: columns, decode) else {
            throw problem("a weight of \(rows) x \(columns) is absurd")
        }
        return tensor
    }
}

/// One way of storing a quantized module.
protocol QuantizedLayout {
    /// Endings of the module's tensors that the plain weight takes the place of.
    static var endings: [String] { get }
    init(_ module: QuantizedModule) throws
    func tensor() throws -> Tensor
}
