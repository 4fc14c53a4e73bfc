import Foundation
import Kernels
import ModelGraph
import TensorFiles
import Tokenizers

/// The document of `inspect --json`, and its text.
struct InspectReport: Encodable {
    struct File: Encodable {
        var name: String
        var bytes: Int
        var tensors: Int
    }

    struct TypeSum: Encodable {
        var type: String
        var tensors: Int
        var elements: Int
        var bytes: Int
    }

    struct Entry: Encodable {
        var name: String
        var shape: [Int]
        var type: String
        var bytes: Int
        var file: String
        var offset: Int?
        var statistics: TensorStatistics?
    }

    struct TokenizerFacts: Encodable {
        var tokens: Int
        var addedTokens: Int
        var hasChatTemplate: Bool
    }

    struct GraftFacts: Encodable {
        var place: String
        var masks: Int?
        var bytes: Int
    }

    var path: String
    /// "safetensors", "gguf", or "configuration" where the weights are absent.
    var format: String
    var weightsPresent = true
    var files: [File] = []
    var family: String?
    /// Why the family is not known.
    var familyProblem: String?
    var configuration: ModelConfiguration?
    var tensorCount = 0
    var parameterCount = 0
    var tensorBytes = 0
    var bitsPerWeight: Double?
    var types: [TypeSum] = []
    var metadata: [String: String]?
    var tokenizer: TokenizerFacts?
    var tokenizerProblem: String?
    var graft: GraftFacts?
    var tensors: [Entry]?

    init(_ checkpoint: Checkpoint, listsTensors: Bool) {
        path = checkpoint.path
        format = checkpoint.format.rawValue
        files = checkpoint.files.map {
            File(name: $0.file.name, bytes: $0.file.byteCount, tensors: $0.tensors.count)
        }
        count(checkpoint.tensors)
        metadata = Self.metadata(checkpoint)
        describeGraft(checkpoint)
        if checkpoint.gguf?["general.architecture"]?.string != "foretoken-graft", graft?.place != "sidecar" {
            describeModel { try ModelGraph.open(checkpoint) }
            describeTokenizer(checkpoint)
        }
        guard listsTensors else { return }
        tensors = checkpoint.files.flatMap { file in
            checkpoint.tensors[file.tensors].map { tensor in
                Entry(
                    name: tensor.name, shape: tensor.shape, type: tensor.type.rawValue, bytes: tensor.byteCount,
                    file: file.file.name, offset: (tensor.source as? MappedSource)?.range.lowerBound)
            }
        }
    }

    /// A Hub directory all of whose shards are missing; `nil` for anything else that `error` stopped.
    init?(outlineOf path: String, unless error: TensorFileError, listsTensors: Bool) {
        switch error {
        case .broken(let problem): guard problem.rule == .shardMissing else { return nil }
        case .notAModel: break
        default: return nil
        }
        let names = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
        guard !names.contains(where: { $0.hasSuffix(".safetensors") }),
            let graph = try? ModelGraph.open(path, weights: .mayBeAbsent)
        else { return nil }
        self.path = path
        format = "configuration"
        weightsPresent = false
        describeModel { graph }
        let sorted = graph.tensors.values.sorted { $0.name < $1.name }
        count(sorted)
        guard listsTensors else { return }
        tensors = sorted.map {
            Entry(name: $0.name, shape: $0.shape, type: $0.type.rawValue, bytes: $0.byteCount, file: "", offset: nil)
        }
    }

    private mutating func count(_ list: [Tensor]) {
        var sums: [ElementType: TypeSum] = [:]
        for tensor in list {
            var sum = sums[tensor.type] ?? TypeSum(type: tensor.type.rawValue, tensors: 0, elements: 0, bytes: 0)
            sum.tensors += 1
            sum.elements += tensor.elementCount
            sum.bytes += tensor.byteCount
            sums[tensor.type] = sum
        }
        types = sums.values.sorted { ($1.bytes, $0.type) < ($0.bytes, $1.type) }
        tensorCount = list.count
        parameterCount = list.reduce(0) { $0 + $1.elementCount }
        tensorBytes = list.reduce(0) { $0 + $1.byteCount }
        bitsPerWeight = parameterCount > 0 ? Double(tensorBytes) * 8 / Double(parameterCount) : nil
    }

    private mutating func describeModel(_ open: () throws -> ModelGraph) {
        do {
            let graph = try open()
            family = graph.configuration.family
            configuration = graph.configuration
            guard graph.expandedCount > 0 else { return }
            // Words of codes and scales are no parameters.
            parameterCount = graph.parameterCount
            bitsPerWeight = parameterCount > 0 ? Double(tensorBytes) * 8 / Double(parameterCount) : nil
        } catch {
            familyProblem = (error as? any DescribedError)?.description ?? "\(error)"
        }
    }

    private mutating func describeTokenizer(_ checkpoint: Checkpoint) {
        do {
            let found =
                if let metadata = checkpoint.gguf {
                    try Tokenizer(gguf: metadata, file: checkpoint.path)
                } else {
                    try Tokenizer(directory: checkpoint.folder)
                }
            tokenizer = TokenizerFacts(
                tokens: found.vocabularySize, addedTokens: found.addedTokens.count,
                hasChatTemplate: found.chatTemplate != nil)
        } catch {
            tokenizerProblem = (error as? any DescribedError)?.description ?? "\(error)"
        }
    }

    private mutating func describeGraft(_ checkpoint: Checkpoint) {
        guard checkpoint.format == .gguf, let file = checkpoint.files.first?.file else { return }
        if let opened = try? GGUFFile(file), opened.isGraft {
            graft = GraftFacts(
                place: "sidecar", masks: (try? Graft(sidecar: opened))?.maskCount, bytes: checkpoint.byteCount)
        } else if let inside = try? InlineGraft.find(in: file) {
            let sidecar = try? GGUFFile(MappedFile(part: inside.sidecar, of: file))
            graft = GraftFacts(
                place: "inside", masks: sidecar.flatMap { try? Graft(sidecar: $0) }?.maskCount,
                bytes: inside.sidecar.count)
        }
    }

    /// Metadata as text, long values cut.
    private static func metadata(_ checkpoint: Checkpoint) -> [String: String]? {
        if let gguf = checkpoint.gguf {
            return Dictionary(
                gguf.entries.map { ($0.key, text($0.value)) }, uniquingKeysWith: { first, _ in first })
        }
        let pairs = checkpoint.files.flatMap(\.metadata).map { ($0.key, String($0.value.prefix(200))) }
        return pairs.isEmpty ? nil : Dictionary(pairs, uniquingKeysWith: { first, _ in first })
    }

    private static func text(_ value: GGUFValue) -> String {
        switch value {
        case .string(let text): text.count > 200 ? String(text.prefix(200)) + "…" : text
        case .array(let array): "\(array.count) × \(array.elementKind)"
        case .bool(let flag): "\(flag)"
        default: value.int.map { "\($0)" } ?? value.double.map { "\($0)" } ?? ""
        }
    }
}

extension InspectReport {
    /// For people.
    var text: String {
        var lines = ["\(path): \(format)\(files.count > 1 ? ", \(files.count) files" : "")"]
        func add(_ label: String, _ value: String?) {
            if let value { lines.append(label.padding(toLength: 12, withPad: " ", startingAt: 0) + value) }
        }
        if !weightsPresent { add("weights", "absent; what follows is from the configuration") }
        add("family", family ?? familyProblem.map { "unknown: \($0)" })
        if let configuration {
            add(
                "shape",
                "\(configuration.layers.count) layers, hidden \(configuration.hiddenSize), feed-forward "
                    + "\(configuration.feedForwardSize), \(configuration.headCount) heads of "
                    + "\(configuration.headSize) (\(configuration.keyValueHeadCount) for keys and values), "
                    + "vocabulary \(configuration.vocabularySize), context \(configuration.contextLength)")
        }
        add("parameters", "\(parameterCount) in \(tensorCount) tensors")
        add(
            "size",
            ByteSize.text(tensorBytes) + (bitsPerWeight.map { String(format: ", %.3f bits per weight", $0) } ?? ""))
        for sum in types {
            add("", "\(sum.type): \(sum.tensors) tensors, \(sum.elements) elements, \(ByteSize.text(sum.bytes))")
        }
        if let tokenizer {
            add(
                "tokenizer",
                "\(tokenizer.tokens) tokens, \(tokenizer.addedTokens) of them added"
                    + (tokenizer.hasChatTemplate ? ", with a chat template" : ""))
        } else {
            add("tokenizer", tokenizerProblem.map { "none: \($0)" })
        }
        if let graft {
            add("graft", "\(graft.place), \(graft.masks.map { "\($0) masks, " } ?? "")\(ByteSize.text(graft.bytes))")
        }
        for tensor in tensors ?? [] {
            var line = "\(tensor.name)  \(tensor.type) \(tensor.shape)  \(ByteSize.text(tensor.bytes))"
            if let facts = tensor.statistics {
                line += String(
                    format: "  min %.5g max %.5g mean %.5g rms %.5g", facts.minimum, facts.maximum, facts.mean,
                    facts.rootMeanSquare)
                if facts.notANumber > 0 { line += "  \(facts.notANumber) NaN" }
                if facts.infinite > 0 { line += "  \(facts.infinite) infinite" }
            }
            lines.append(line)
        }
        return lines.joined(separator: "\n") + "\n"
    }
}
