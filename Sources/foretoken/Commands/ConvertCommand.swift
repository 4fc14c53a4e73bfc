import ArgumentParser
import Conversion
import Foundation
import ModelGraph
import TensorFiles

struct ConvertCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "convert",
        abstract: "Converts a model from one format to another, quantized formats included.",
        discussion: """
            MODEL is a Hub directory, a safetensors file with config.json beside it, or a GGUF file (the first of a \
            split one). Without --type every tensor keeps its type.
            """)

    @Argument(help: "The model to convert.")
    var model: String

    @Option(name: [.short, .long], help: "A .gguf file, or a folder for a Hub directory.")
    var output: String

    @Option(help: "Element type of matrices: f32, f16, bf16, q8_0, … (default: as they are).")
    var type: String?

    @Option(help: "gguf or safetensors (default: by the output's name).")
    var to: String?

    @Option(help: "Split the output into files with at most this many bytes of tensors each.")
    var maxShard: ByteSize?

    @Option(help: "A JSON description of the model's family: formats/architecture.md.")
    var architecture: String?

    @Option(help: "Bytes of work to hold in memory (default: 96 MiB).")
    var maxMemory: ByteSize?

    @Option(help: "I/N: write only part I of N, to OUTPUT.part-I-of-N; `join` puts the parts together.")
    var part: PartOption?

    @Flag(help: "Print what would be written, to the byte, and write nothing.")
    var dryRun = false

    @Flag(help: "Go on with an interrupted run, at the next tensor.")
    var resume = false

    @Flag(name: .customLong("no-digests"), help: "Leave out the digests by which `check` tells damage.")
    var noDigests = false

    @Flag(help: "Compress the files with zstd, to NAME.zst; every command reads them so.")
    var compress = false

    @Flag(help: "Replace an output that exists.")
    var force = false

    @OptionGroup var common: CommonOptions

    func validate() throws {
        if part != nil, noDigests || compress {
            throw ValidationError("--part takes neither --no-digests nor --compress; they are for whole outputs")
        }
        if let type, TypeChoice(type) == nil { throw ValidationError("--type \(type) is not an element type") }
        if let to, ConversionRequest.Format(rawValue: to) == nil {
            throw ValidationError("--to is gguf or safetensors, not \(to)")
        }
    }

    func run() throws {
        var request = ConversionRequest(model: model, output: output)
        request.format = to.flatMap(ConversionRequest.Format.init(rawValue:))
        request.types = type.flatMap { TypeChoice($0) } ?? .kept
        request.maximumShardSize = maxShard?.bytes
        request.architecture = try architecture.map { try Architecture(contentsOf: $0) }
        request.isDryRun = dryRun
        request.threads = common.threadCount
        let line = ProgressLine(quiet: common.quiet)
        var options = ConversionEngine.Options(
            threads: common.threadCount, memoryBudget: maxMemory?.bytes ?? 96 << 20, overwrites: force,
            resumes: resume)
        if compress { options.compression = ZstdArchive.defaultLevel }
        let engine = ConversionEngine(options)
        var (plan, folder) = try request.planned(progress: line.handler)
        if let part {
            let file = part.file(for: output)
            plan = try plan.part(part.number, of: part.count, name: file.lastPathComponent)
            folder = file.deletingLastPathComponent().path
        }
        if noDigests { plan = try plan.withoutDigests() }
        let report = PlanReport(plan, peakMemoryBytes: engine.peakWorkBytes(plan))
        if !common.quiet { for note in plan.notes { Console.standardError("note: \(note)\n") } }
        if !dryRun { try engine.run(plan, folder: folder, progress: line.handler) }
        if common.json {
            try Console.json(report)
        } else if dryRun {
            Console.standardOutput(report.table)
        } else if !common.quiet {
            Console.standardOutput("\(output): \(report.tensors.count) tensors, \(ByteSize.text(report.bytes))\n")
        }
    }
}
