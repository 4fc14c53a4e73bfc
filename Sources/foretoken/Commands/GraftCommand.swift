import ArgumentParser
import Conversion
import Foundation
import Kernels
import ModelGraph
import Runtime
import TensorFiles

struct GraftCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "graft",
        abstract: "Adds what multi-token decoding needs to a model: masks, gated low-rank factors, sampler head.",
        discussion: """
            The graft goes into a file of its own (a sidecar), which leaves the model untouched, or with --inline \
            into a copy of the model's GGUF, which other programs read as the plain model. It is bound to the \
            checkpoint that the model was made from: formats/graft.md.
            """)

    @Argument(help: "The model that the graft is for: a Hub directory, a .safetensors or a .gguf.")
    var model: String

    @Option(name: .shortAndLong, help: "The file to write.")
    var output: String

    @Option(help: "A graft: a sidecar, a safetensors file of ours, or a checkpoint of MTP-GLoRA.")
    var weights: String?

    @Flag(help: "Make an untrained graft, for `tune` or for tests.")
    var new = false

    @Option(help: "With --new: masks of a block.")
    var masks: Int = 8

    @Option(help: "With --new: rank of the factors.")
    var rank: Int = 32

    @Option(help: "With --new: the factors' scale is alpha / rank (default: alpha = 2 rank).")
    var alpha: Double?

    @Option(
        help: "With --new: linears to adapt, by comma: query, key, value, attentionOutput, gate, up, down; or all.")
    var targets: String = "all"

    @Option(help: "With --new: the sampler's norms, layernorm or rmsnorm.")
    var norm: String = "layernorm"

    @Flag(help: "With --new: a residual around the sampler's second block.")
    var residual = false

    @Flag(help: "With --new: one mask vector for every offset.")
    var sharedMask = false

    @Option(help: "With --new: seed of the initial weights.")
    var seed: UInt64 = 0

    @Option(help: "For MTP-GLoRA: the row of the embedding table that <mask> had (default: the table's mean).")
    var maskRow: Int?

    @Flag(help: "Put the graft into a copy of the model's GGUF.")
    var inline = false

    @Option(help: "Element type of the graft's matrices: f32, f16, q8_0, … (default: as they are).")
    var type: String?

    @Flag(
        help: """
            Accept weights made for another file of the same shape, such as another program's quantization, when a \
            short run accepts their drafts.
            """)
    var trustBase = false

    @Flag(help: "Print what would be written, and write nothing.")
    var dryRun = false

    @Flag(help: "Replace an output that exists.")
    var force = false

    @OptionGroup var common: CommonOptions

    func validate() throws {
        guard new != (weights != nil) else { throw ValidationError("give one of --weights and --new") }
        if let type, elementType(type) == nil { throw ValidationError("--type \(type) is no type that a GGUF holds") }
        if Graft.Norm(rawValue: norm) == nil { throw ValidationError("--norm is layernorm or rmsnorm, not \(norm)") }
        if linears == nil { throw ValidationError("--targets: \(targets) names a linear that blocks do not have") }
    }

    private func elementType(_ name: String) -> ElementType? {
        ElementType.allCases.first { $0.rawValue.lowercased() == name.lowercased() && $0.ggmlIdentifier != nil }
    }

    private var linears: [TensorRole.Part]? {
        if targets == "all" { return Graft.linears }
        let parts = targets.split(separator: ",").map { TensorRole.Part(rawValue: String($0)) }
        let known = parts.compactMap { $0 }.filter { Graft.linears.contains($0) }
        return known.count == parts.count && !known.isEmpty ? known : nil
    }

    private struct Report: Encodable {
        var output: String
        var inline: Bool
        var masks: Int
        var rank: Int
        var adapters: Int
        var base: String
        var bytes: Int
        /// What became of the drafts of a short run; absent for a new graft.
        var trial: DraftCounts?
        var tensors: [GraftTypes.Fate]
    }

    /// A short run with the graft: refuses one of another base whose drafts are not accepted, and says when drafts
    /// never are.
    private func trial(_ opened: ModelGraph, _ graft: Graft) throws -> DraftCounts {
        let runtime = try LanguageModel(opened, path: model, pool: WorkerPool(threads: common.threadCount))
        let loaded = try GraftTrial.admit(graft, to: runtime, trusted: trustBase)
        let counts = try GraftTrial.run(runtime, graft: loaded)
        if let warning = counts.warning { Console.standardError("foretoken: \(warning)\n") }
        return counts
    }

    func run() throws {
        let line = ProgressLine(quiet: common.quiet || common.json)
        let opened = try ModelGraph.open(model)
        let graph = try opened.canonical()
        var graft: Graft
        if let weights {
            graft = try GraftReader.read(weights, for: graph, maskRow: maskRow)
            try graft.checkShapes(configuration: graph.configuration)
        } else {
            graft = try GraftReader.new(
                .init(
                    masks: masks, rank: rank, alpha: alpha, linears: linears ?? [],
                    norm: Graft.Norm(rawValue: norm) ?? .layerNorm, residual: residual, sharedMask: sharedMask,
                    seed: seed), for: graph)
        }
        let digest = try opened.sourceDigest(threads: common.threadCount, progress: line.handler)
        var trial: DraftCounts?
        if dryRun, graft.base != nil {
            try graft.checkBase(digest: digest, configuration: graph.configuration, trusted: trustBase)
        } else if weights != nil {
            trial = try self.trial(opened, graft)
        }
        graft.base = GraftBase(digest: digest, configuration: graph.configuration)
        let (typed, fates) = try GraftTypes(matrices: type.flatMap(elementType)).apply(to: graft)
        if !dryRun {
            if inline {
                try GraftWriter.writeInline(
                    typed, model: model, to: output, overwrites: force, progress: line.handler)
            } else {
                try GraftWriter.writeSidecar(typed, to: output, overwrites: force, progress: line.handler)
            }
        }
        let report = Report(
            output: output, inline: inline, masks: typed.maskCount, rank: typed.rank, adapters: typed.adapters.count,
            base: digest, bytes: fates.reduce(0) { $0 + $1.bytes }, trial: trial, tensors: fates)
        if common.json { return try Console.json(report) }
        guard !common.quiet || dryRun else { return }
        if dryRun {
            for fate in fates {
                Console.standardOutput(
                    "\(fate.name) \(fate.shape) \(fate.from) to \(fate.type), \(fate.bytes) bytes"
                        + (fate.note.map { " (\($0))" } ?? "") + "\n")
            }
        }
        Console.standardOutput(
            "\(output): \(report.masks) masks, rank \(report.rank), \(report.adapters) adapted linears, "
                + "\(ByteSize.text(report.bytes)) of tensors, for checkpoint \(digest)\n")
    }
}

struct UngraftCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ungraft",
        abstract: "Takes the graft out of a model's file; model and graft are the bytes that went in.")

    @Argument(help: "A .gguf with a graft inside.")
    var model: String

    @Option(name: .shortAndLong, help: "Where to write the model.")
    var output: String?

    @Option(help: "Where to write the graft, as a sidecar.")
    var graft: String?

    @Flag(help: "Replace outputs that exist.")
    var force = false

    @OptionGroup var common: CommonOptions

    func validate() throws {
        if output == nil, graft == nil { throw ValidationError("give -o, --graft, or both") }
    }

    private struct Report: Encodable {
        var modelBytes: Int
        var graftBytes: Int
    }

    func run() throws {
        let sizes = try GraftWriter.ungraft(model, to: output, graftTo: graft, overwrites: force)
        if common.json {
            try Console.json(Report(modelBytes: sizes.model, graftBytes: sizes.graft))
        } else if !common.quiet {
            Console.standardOutput(
                "model \(ByteSize.text(sizes.model)), graft \(ByteSize.text(sizes.graft))\n")
        }
    }
}
