import Foundation
import Kernels
public import ModelGraph
import TensorFiles

/// Reads grafts from every form in which they come, and makes new ones.
public enum GraftReader {
    /// - Parameters:
    ///   - path: a sidecar, a model with a graft inside, a safetensors file of ours, or a checkpoint of `MTP-GLoRA`
    ///     (its folder or its model.safetensors).
    ///   - graph: the model that the graft is for; its embedding table gives the mask that an MTP-GLoRA checkpoint
    ///     does not hold.
    ///   - maskRow: for MTP-GLoRA, the row of the embedding table that its tokenizer's `<mask>` had; `nil`: the
    ///     table's mean, which is what the trainer gives a new token.
    public static func read(_ path: String, for graph: ModelGraph, maskRow: Int? = nil) throws -> Graft {
        var isFolder: ObjCBool = false
        let exists = unsafe FileManager.default.fileExists(atPath: path, isDirectory: &isFolder)
        let file = exists && isFolder.boolValue ? path + "/model.safetensors" : path
        guard file.hasSuffix(".safetensors") else { return try Graft.open(file) }
        let weights = try SafetensorsFile(path: file)
        let tensors = Dictionary(weights.tensors.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        guard Graft.isGLoRA(tensors.keys) else {
            let metadata = Dictionary(
                weights.metadata.map { ($0.key, $0.value) }, uniquingKeysWith: { first, _ in first })
            return try Graft(weights: tensors, metadata: metadata, file: file)
        }
        let settings = try gLoRASettings(beside: file, epsilon: graph.configuration.normEpsilon)
        return try Graft(
            gLoRA: tensors, settings: settings, maskEmbedding: try mask(of: graph, row: maskRow),
            configuration: graph.configuration, file: file)
    }

    /// The settings in `config.json` beside a checkpoint of MTP-GLoRA; its defaults where the file or a field is
    /// missing.
    private static func gLoRASettings(beside file: String, epsilon: Double) throws -> Graft.GLoRASettings {
        struct Settings: Decodable {
            var masks: Int?
            var rank: Int?
            var alpha: Double?
            var rankStabilised: Bool?

            enum CodingKeys: String, CodingKey {
                case masks = "draft_length"
                case rank = "lora_rank"
                case alpha = "lora_alpha"
                case rankStabilised = "lora_use_rslora"
            }
        }
        var result = Graft.GLoRASettings(normEpsilon: epsilon)
        let url = URL(fileURLWithPath: file).deletingLastPathComponent().appendingPathComponent("config.json")
        guard FileManager.default.fileExists(atPath: url.path) else { return result }
        let settings: Settings
        do {
            settings = try JSONDecoder().decode(Settings.self, from: Data(contentsOf: url))
        } catch {
            throw ModelError.graft(
                .invalidKey(
                    file: url.path, key: "draft_length, lora_rank, lora_alpha", expected: "numbers", found: "\(error)"
                ))
        }
        result.masks = settings.masks ?? result.masks
        result.rank = settings.rank ?? result.rank
        result.alpha = settings.alpha ?? result.alpha
        result.rankStabilised = settings.rankStabilised ?? false
        return result
    }

    private static func mask(of graph: ModelGraph, row: Int?) throws -> Tensor {
        let values: [Float]
        if let row {
            guard let table = graph[.tokenEmbedding], row >= 0, row < table.rowCount else {
                throw ModelError.graft(
                    .invalidKey(
                        file: "--mask-row", key: "row", expected: "a row of the embedding table", found: "\(row)"))
            }
            values = try table.floats(rows: row..<row + 1)
        } else {
            values = try EmbeddingStatistics(graph).mean
        }
        var bytes: [UInt8] = []
        for value in values {
            bytes += (0..<4).map { UInt8(truncatingIfNeeded: value.bitPattern >> (8 * UInt32($0))) }
        }
        guard
            let tensor = Tensor(
                name: "mask_embedding", shape: [1, values.count], type: .f32, source: MemorySource(bytes))
        else { preconditionFailure("a row of floats is a tensor") }
        return tensor
    }

    /// An untrained graft for a model: masks around the embedding table's mean with its spread.
    public static func new(_ design: Graft.Design, for graph: ModelGraph) throws -> Graft {
        let statistics = try EmbeddingStatistics(graph)
        return try Graft(
            new: design, configuration: graph.configuration, embeddingMean: statistics.mean,
            embeddingDeviation: statistics.deviation)
    }
}

/// Mean row of the embedding table, and the deviation of its elements from it.
struct EmbeddingStatistics {
    let mean: [Float]
    let deviation: Float

    init(_ graph: ModelGraph) throws {
        guard let table = graph[.tokenEmbedding], table.rowCount > 0 else {
            throw ModelError.graft(.notAGraft(file: "model", reason: "it has no embedding table to take masks from"))
        }
        let width = table.rowLength
        var sums = [Double](repeating: 0, count: width)
        var squares = [Double](repeating: 0, count: width)
        for start in stride(from: 0, to: table.rowCount, by: 256) {
            let rows = start..<min(table.rowCount, start + 256)
            let values = try table.floats(rows: rows)
            for row in 0..<rows.count {
                for column in 0..<width {
                    let value = Double(values[row * width + column])
                    sums[column] += value
                    squares[column] += value * value
                }
            }
        }
        let count = Double(table.rowCount)
        mean = sums.map { Float($0 / count) }
        let variance = zip(sums, squares).reduce(0) { $0 + $1.1 / count - ($1.0 / count) * ($1.0 / count) }
        deviation = Float((max(0, variance) / Double(width)).squareRoot())
    }
}
