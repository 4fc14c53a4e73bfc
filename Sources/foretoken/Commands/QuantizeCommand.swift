import ArgumentParser
import Conversion
import Foundation
import ModelGraph
import Quantization
import TensorFiles
import Yams

struct QuantizeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "quantize",
        abstract: "Writes a model with fewer bits for each weight, losing as little as possible.",
        discussion: """
            MODEL is a Hub directory or a GGUF; OUTPUT is a .gguf. Types come from a preset (--type q4_k_m, with \
            llama-quantize's names and mixtures), from a recipe (formats/recipe.md), or from a budget: --size and \
            --bpw measure what each tensor loses by each type and take the best plan that fits.

            With --type mlx_q4, mlx_q8, w4a16, w8a8 or gptq_q4, OUTPUT is a folder: a Hub directory in the quantized \
            layout that MLX, vLLM (compressed-tensors) or GPTQ runtimes load (formats/quantized-safetensors.md).
            """)

    @Argument(help: "The model to quantize.")
    var model: String

    @Option(name: [.short, .long], help: "The .gguf file to write, or the folder for a Hub layout.")
    var output: String

    @Option(help: "A preset such as q4_k_m, q8_0, iq4_xs, a type, or a Hub layout such as mlx_q4.")
    var type: String?

    @Option(help: "Weights that share a scale in a Hub layout: 32, 64 or 128 (default: 64 for mlx, 128 for others).")
    var group: Int?

    @Option(help: "A recipe: YAML or JSON, formats/recipe.md.")
    var recipe: String?

    @Option(help: "The largest file allowed, for example 3.9GiB.")
    var size: ByteSize?

    @Option(help: "The largest number of bits for each weight, everything in the file counted.")
    var bpw: Double?

    @Option(help: "An importance matrix, of calibrate or llama-imatrix.")
    var importance: String?

    @Option(help: "Second moments for gptq (default: beside the importance matrix).")
    var hessians: String?

    @Option(
        help:
            "nearest: the format's own rule; search (the default): the least error of the output, as far as --importance tells; gptq: by --hessians too."
    )
    var method: String?

    @Flag(help: "With --type: the same type for every matrix, no mixture.")
    var pure = false

    @Option(help: "What to do with NaN and infinities: refuse or zero.")
    var nonfinite = "refuse"

    @Flag(help: "Accept weights that were quantized before; the added loss is printed.")
    var requantize = false

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

    @Flag(help: "Replace an output that exists.")
    var force = false

    @OptionGroup var common: CommonOptions

    func validate() throws {
        let rules = [type != nil, recipe != nil, size != nil, bpw != nil].count { $0 }
        guard rules == 1 else { throw ValidationError("give one of --type, --recipe, --size and --bpw") }
        if pure, type == nil { throw ValidationError("--pure goes with --type") }
        let isLayout: Bool
        do throws(QuantizationError) {
            isLayout = try HubLayout(name: type ?? "", groupSize: group) != nil
        } catch {
            throw ValidationError(error.description)
        }
        if group != nil, !isLayout {
            throw ValidationError("--group goes with --type " + HubLayout.names.joined(separator: ", "))
        }
        if pure, isLayout { throw ValidationError("--pure goes with types of GGUF: a Hub layout is no mixture") }
        if let method, BlockMethod(rawValue: method) == nil {
            throw ValidationError("--method is nearest, search or gptq, not \(method)")
        }
        guard ["refuse", "zero"].contains(nonfinite) else {
            throw ValidationError("--nonfinite is refuse or zero, not \(nonfinite)")
        }
        if let bpw, !(bpw > 0 && bpw <= 64) { throw ValidationError("--bpw must be from 0 to 64, not \(bpw)") }
    }

    private func choice(_ method: BlockMethod) throws -> QuantizationRequest.Choice {
        if let size { return .size(size.bytes) }
        if let bpw { return .bitsPerWeight(bpw) }
        if let recipe {
            var read = try RecipeFile.read(recipe)
            if self.method != nil { read.method = method }
            return .recipe(read)
        }
        let name = type ?? ""
        if let layout = try HubLayout(name: name, groupSize: group) { return .layout(layout) }
        if pure {
            guard let type = Preset(name: name)?.baseType ?? ElementType(anyCase: name) else {
                throw QuantizationError.unknownType(name, nearest: [])
            }
            return .uniform(type)
        }
        return .recipe(Recipe(base: name, method: method))
    }

    func run() throws {
        let method = self.method.flatMap(BlockMethod.init(rawValue:)) ?? .search
        var request = QuantizationRequest(model: model, output: output, choice: try choice(method))
        request.method = method
        request.importance = importance
        request.hessians = hessians
        request.replacesNonfinite = nonfinite == "zero"
        request.requantizes = requantize
        request.maximumShardSize = maxShard?.bytes
        request.architecture = try architecture.map { try Architecture(contentsOf: $0) }
        request.isDryRun = dryRun
        request.threads = common.threadCount
        let line = ProgressLine(quiet: common.quiet)
        let engine = ConversionEngine(
            .init(
                threads: common.threadCount, memoryBudget: maxMemory?.bytes ?? 96 << 20, overwrites: force,
                resumes: resume))
        let planned = try request.planned(progress: line.handler)
        var (plan, folder) = (planned.plan, planned.folder)
        if let part {
            let file = part.file(for: output)
            plan = try plan.part(part.number, of: part.count, name: file.lastPathComponent)
            folder = file.deletingLastPathComponent().path
        }
        if !common.quiet { for note in plan.notes { Console.standardError("note: \(note)\n") } }
        if !dryRun { try engine.run(plan, folder: folder, progress: line.handler) }
        let report = QuantizationReport(planned, plan, peakMemoryBytes: engine.peakWorkBytes(plan))
        if common.json {
            try Console.json(report)
        } else if dryRun {
            Console.standardOutput(report.table)
        } else if !common.quiet {
            Console.standardOutput(report.summary(output))
        }
    }
}

/// Recipes on disk.
enum RecipeFile {
    /// YAML, of which JSON is a part.
    static func read(_ path: String) throws -> Recipe {
        let text = try MappedFile(path: path).withBytes { $0.repairedText }
        do {
            return try YAMLDecoder().decode(Recipe.self, from: text)
        } catch let error as DecodingError {
            throw QuantizationError.badRecipe(file: path, Self.words(error))
        } catch let error as YamlError {
            throw QuantizationError.badRecipe(file: path, "\(error)")
        }
    }

    private static func words(_ error: DecodingError) -> String {
        let context: DecodingError.Context
        switch error {
        case .dataCorrupted(let found), .keyNotFound(_, let found), .typeMismatch(_, let found),
            .valueNotFound(_, let found):
            context = found
        @unknown default: return "\(error)"
        }
        let place = context.codingPath.map { $0.intValue.map { "[\($0)]" } ?? ".\($0.stringValue)" }.joined()
        let reason = (context.underlyingError as? YamlError).map { "\($0)" } ?? context.debugDescription
        return place.isEmpty ? reason : "at \(place.drop { $0 == "." }): \(reason)"
    }
}
