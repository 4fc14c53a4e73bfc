import ArgumentParser
import Conversion
import Fidelity
import Foundation
import Kernels
import Runtime
import TensorFiles

struct VerifyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "What a candidate lost against its reference, and what it gained: in figures and in a report.",
        discussion: """
            Exit status 1 when a limit is missed, when multi-token output differs from plain output, or when \
            something is plainly wrong with the candidate; the verdict names the likely cause.
            """)

    @Argument(help: "The model that went in: a Hub directory, a .safetensors or a .gguf.")
    var reference: String

    @Argument(help: "What came out; several are compared and the best for the limits given is named.")
    var candidates: [String]

    @Option(help: "A graft of the candidates, for multi-token decoding.")
    var graft: String?

    @Flag(help: "Take a graft that was made for another file of the same shape.")
    var trustBase = false

    @Option(help: "Candidates that the sampler head scores for each mask; 0: the whole vocabulary.")
    var shortlist = 32

    @Option(help: "Text to compare on; without it the reference writes one itself.")
    var text: String?

    @Option(help: "Prompts to decode, JSON lines; without them the beginnings of the text's windows.")
    var prompts: String?

    @Option(help: "Use at most so many prompts, spread evenly over the file.")
    var promptLimit: Int?

    @Flag(help: "Leave out prompts that do not fit the context, instead of stopping at them.")
    var skipLongPrompts = false

    @Option(
        help: "Keep what the reference said of the text here, for --reference-logits (formats/reference-record.md).")
    var saveReference: String?

    @Option(
        help: "What --save-reference kept: the reference is not run, its text is the record's unless given again.")
    var referenceLogits: String?

    @Option(help: "Write the report here.")
    var report: String?

    @Option(help: "Fail when the mean KL divergence is above this (nats a token).")
    var maxKl: Double?

    @Option(help: "Fail when the share of equal first choices is below this (0 … 1, or a percentage such as 95%).")
    var minTop1: Share?

    @Option(help: "Fail when no multi-token decoder is this many times as fast as plain decoding.")
    var minSpeedup: Double?

    @Option(help: "Fail when the files are larger than this; of several candidates, recommend none that is.")
    var maxSize: ByteSize?

    @Option(help: "Tokens of a window (default: 512, or what the models hold).")
    var context: Int?

    @Option(help: "Use at most so many tokens of the text.")
    var tokens: Int?

    @Option(name: [.customShort("n"), .customLong("generate")], help: "Tokens to generate for each prompt.")
    var generated = 100

    @Option(help: "How often prompts are run; after the first time by the fastest decoders only.")
    var repeats = 2

    @Option(help: "How keys and values are kept: f32, f16 or q8_0.")
    var cache: CacheChoice = .f16

    @Option(help: "q8: 8-bit activations for quantized weights; f32: floats, the slow reference.")
    var activations: ActivationChoice = .q8

    @Flag(help: "Write over an existing report or record.")
    var force = false

    @OptionGroup var common: CommonOptions

    func validate() throws {
        guard !candidates.isEmpty else { throw ValidationError("name at least one candidate") }
        guard generated >= 1, repeats >= 1 else { throw ValidationError("-n and --repeats are at least 1") }
        if let tokens, tokens < 4 { throw ValidationError("--tokens is at least 4") }
        guard saveReference == nil || referenceLogits == nil else {
            throw ValidationError("--save-reference and --reference-logits exclude each other")
        }
        if referenceLogits != nil, text == nil, tokens != nil || context != nil {
            throw ValidationError("--tokens and --context are the record's with --reference-logits; give --text too")
        }
        if let promptLimit, promptLimit < 1 { throw ValidationError("--prompt-limit is at least 1") }
    }

    func run() throws {
        let progress = ProgressLine(quiet: common.quiet)
        if let report, !force, FileManager.default.fileExists(atPath: report) {
            throw FidelityError.cannotWrite(path: report, reason: "it exists; --force writes over it")
        }
        let pool = try WorkerPool(threads: common.threadCount)
        let subjects = try Self.subjects(candidates)
        let source = try Subject(path: reference)
        let weights = try graft.map { path in
            CandidateGraft(try GraftReader.read(path, for: source.stored), path: path)
        }
        let verification = try Verification(
            reference: source, candidates: subjects, options: options(), pool: pool,
            progress: progress.handler)
        let outcome = try verification.run(
            text: readText(), prompts: readPrompts(), graft: weights)
        if let report { try ReportFile.write(outcome, to: report) }
        if common.json {
            try Console.json(outcome)
        } else {
            Console.standardOutput(VerifyText.summary(outcome, report: report))
        }
        if !outcome.passed { throw ExitCode(FailureKind.negative.rawValue) }
    }

    /// Files of one name in different folders are called by their paths.
    private static func subjects(_ paths: [String]) throws -> [Subject] {
        let subjects = try paths.map { try Subject(path: $0) }
        return try subjects.map { subject in
            subjects.count { $0.name == subject.name } > 1
                ? try Subject(path: subject.path, name: subject.path) : subject
        }
    }

    private func options() -> Verification.Options {
        var options = Verification.Options()
        options.limits = FidelityLimits(
            maximumDivergence: maxKl, minimumTop1: minTop1?.value, minimumSpeedup: minSpeedup,
            maximumBytes: maxSize?.bytes)
        options.context = context
        options.tokenLimit = tokens
        options.precision = activations.precision
        options.cache = cache.precision
        options.generated = generated
        options.repeats = repeats
        options.shortlist = shortlist
        options.trustsBase = trustBase
        options.skipsLongPrompts = skipLongPrompts
        if let saveReference { options.record = .save(path: saveReference, overwrites: force) }
        if let referenceLogits { options.record = .read(path: referenceLogits) }
        options.command = (["foretoken"] + CommandLine.arguments.dropFirst()).joined(separator: " ")
        options.version = Foretoken.configuration.version
        options.machine = MachineDescription.processor
        options.date = Date().formatted(.iso8601.year().month().day())
        return options
    }

    private func readText() throws -> Verification.Text? {
        try text.map { path in
            let file = try MappedFile(path: path)
            return Verification.Text(name: file.name, content: file.withBytes { $0.repairedText })
        }
    }

    private func readPrompts() throws -> [Prompt]? {
        guard let path = prompts else { return nil }
        let all = try PromptFile.read(URL(fileURLWithPath: path))
        guard let promptLimit, promptLimit < all.count else { return all }
        return (0..<promptLimit).map { all[$0 * all.count / promptLimit] }
    }
}

/// A share as a number (`0.95`) or a percentage (`95%`).
struct Share: ExpressibleByArgument {
    let value: Double

    init?(argument: String) {
        let isPercentage = argument.hasSuffix("%")
        guard let number = Double(isPercentage ? String(argument.dropLast()) : argument) else { return nil }
        value = isPercentage ? number / 100 : number
        guard (0...1).contains(value) else { return nil }
    }
}
