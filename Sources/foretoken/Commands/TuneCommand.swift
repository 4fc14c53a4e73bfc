import ArgumentParser
import Foundation
import Kernels
import ModelGraph
import Runtime
import TensorFiles
import Tokenizers
import Tuning

struct TuneCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tune",
        abstract: "Trains a graft (masks, gated LoRA, sampler) on the CPU, against the model that will run.",
        discussion: """
            The graft learns from texts, from prompts with answers (JSON lines with `prompt` and `answer`; masks only \
            after the prompt), or with --self from what the model itself writes after the prompts of --prompts, or \
            after pieces of the texts. Beside the graft go OUTPUT.log.csv, OUTPUT.log.json, OUTPUT.svg, the model's \
            own text in OUTPUT.self.jsonl, and while training OUTPUT.checkpoint, from which --resume goes on.
            """)

    @Argument(help: "The base model: a Hub directory, .safetensors or .gguf of any type. It is not changed.")
    var model: String

    @Option(name: .long, parsing: .upToNextOption, help: "Text files, or .jsonl of prompts and answers.")
    var text: [String] = []

    @Option(help: "JSON lines of prompts for --self.")
    var prompts: String?

    @Flag(name: .customLong("self"), help: "Learn from what the model itself writes.")
    var selfText = false

    @Option(help: "With --self: how many prompts to cut from the texts.")
    var selfPrompts = 3000

    @Option(help: "With --self: tokens of a prompt cut from the texts.")
    var promptTokens = 64

    @Option(help: "With --self: tokens to write after each prompt.")
    var selfTokens = 224

    @Option(help: "With --self: 0 for the most likely token, above to draw.")
    var temperature = 0.0

    @Option(name: .shortAndLong, help: "The graft to write (.gguf).")
    var output: String

    @Option(help: "A graft (.gguf) to start from, instead of a new one.")
    var start: String?

    @Flag(help: "Accept a --start that does not say it was made for this model, when shapes agree.")
    var trustBase = false

    @Option(help: "Measure on this file (as --text) instead of a slice of the training text.")
    var measureOn: String?

    @OptionGroup var training: TrainingArguments

    @Flag(help: "Go on from OUTPUT.checkpoint.")
    var resume = false

    @Flag(help: "Replace files that exist.")
    var force = false

    @OptionGroup var common: CommonOptions

    func validate() throws {
        if text.isEmpty, prompts == nil { throw ValidationError("give --text, or --prompts with --self") }
        if prompts != nil, !selfText { throw ValidationError("--prompts needs --self; answers go into --text") }
        if promptTokens < 1 || selfTokens < 4 || selfPrompts < 1 {
            throw ValidationError("--self needs at least 1 prompt of 1 token and 4 tokens to write")
        }
    }

    func run() throws {
        let started = ContinuousClock.now
        let url = URL(fileURLWithPath: output)
        let files = TuningFiles(output: url)
        if !resume, !force { try files.refuseExisting() }
        let opened = try ModelGraph.open(model)
        let graph = try opened.canonical()
        let options = try training.options()
        // A quarter of the time given goes to writing text at most, the rest of it to training.
        let sequences = try self.sequences(
            opened, graph, files, until: training.minutes.map { started + .seconds(15 * $0) })
        let measuring = try measureOn.map { [tokens = TextEncoder(model: model)] in
            try TrainingData.read(URL(fileURLWithPath: $0), encode: tokens.encode)
        }
        let data = try TrainingText(
            sequences, window: options.window, heldOut: options.heldOut, seed: options.seed,
            measuring: measuring ?? [])
        let graft = try startingGraft(opened, graph)
        let flag = InterruptFlag()
        let spent = started.duration(to: .now) / .seconds(60)
        let run = try TuningRun(
            model: graph, graft: graft, text: data, options: options,
            settings: .init(
                threads: common.threadCount, minutes: training.minutes.map { $0 - spent },
                checkpoint: files.checkpoint,
                resumes: resume, modelName: url.deletingPathExtension().lastPathComponent,
                shouldStop: { flag.isRaised }))
        let view = TuningView(quiet: common.quiet)
        if !common.quiet {
            Console.standardError(
                "\(data.training.count) sequences, \(data.anchorCount) places for masks; \(run.log.parameters) "
                    + "parameters; \(run.trainer.positions) places a sequence within the memory given\n")
            if data.heldOut.isEmpty {
                Console.standardError("nothing is held out to measure on: the last parameters will be kept\n")
            }
        }
        let ending = try run.run(view.show)
        if case .checkpointNotWritten(let reason, _) = ending, !common.quiet {
            Console.standardError("stopping: \(reason)\n")
        }
        try files.write(run, type: training.type)
        if !common.quiet {
            Console.standardError("\(output): the graft of step \(run.trainer.bestStep), the best so far\n")
        }
        if common.json { try Console.json(TuningReport(run, ending, files)) }
        switch ending {
        case .diverged(let step):
            throw TuningError.diverged(
                step: step, loss: run.log.entries.last?.total ?? .nan, lastGood: run.trainer.bestStep)
        case .checkpointNotWritten(let reason, let last):
            throw TuningError.checkpointNotWritten(reason: reason, last: last)
        case .interrupted:
            if !common.quiet { Console.standardError("stopped; go on with --resume\n") }
            throw ExitCode(130)
        case .finished: files.removeCheckpoint()
        case .outOfTime: break
        }
    }

    private func startingGraft(_ opened: ModelGraph, _ graph: ModelGraph) throws -> Graft {
        let digest = try opened.sourceDigest(
            threads: common.threadCount, progress: ProgressLine(quiet: common.quiet).handler)
        if let start {
            var graft = try Graft(sidecar: GGUFFile(path: start))
            try graft.checkBase(digest: digest, configuration: graph.configuration, trusted: trustBase)
            graft.base = GraftBase(digest: digest, configuration: graph.configuration)
            return graft
        }
        return try TrainingStart.graft(
            training.design, model: graph, base: GraftBase(digest: digest, configuration: graph.configuration))
    }

    private func prompts(_ documents: [TrainingSequence], _ tokenizer: Tokenizer) throws -> [[Int]] {
        if let prompts {
            return try PromptFile.read(URL(fileURLWithPath: prompts)).map {
                try tokenizer.encode($0.text, addSpecialTokens: true, parseSpecial: false)
            }
        }
        return try SelfText.prompts(
            from: documents, count: selfPrompts, length: promptTokens, start: tokenizer.special.bos,
            seed: training.seed)
    }

    private func sequences(
        _ opened: ModelGraph, _ graph: ModelGraph, _ files: TuningFiles, until deadline: ContinuousClock.Instant?
    ) throws -> [TrainingSequence] {
        if resume, selfText, FileManager.default.fileExists(atPath: files.selfText.path) {
            return try TrainingData.read(files.selfText) { _, _ in [] }
        }
        let encoder = TextEncoder(model: model)
        var documents: [TrainingSequence] = []
        for file in text {
            documents += try TrainingData.read(URL(fileURLWithPath: file), encode: encoder.encode)
        }
        guard selfText else { return documents }
        let starts = try self.prompts(documents, encoder.tokenizer())
        let special = try encoder.tokenizer().special
        var writer = SelfText(
            limit: selfTokens, temperature: temperature, seed: training.seed,
            endTokens: special.endOfGeneration.union([special.eos, special.eot, special.eom].compactMap { $0 }))
        writer.deadline = deadline
        let progress = ProgressLine(quiet: common.quiet).handler
        let floatBytes = graph.tensors.values.reduce(0) { $0 + 4 * $1.elementCount }
        let written =
            floatBytes <= training.maxMemory.bytes / 2
            ? try writer.write(starts, batchedWith: graph, threads: common.threadCount, progress: progress)
            : try writer.write(
                starts, with: LanguageModel(opened, path: model, pool: WorkerPool(threads: common.threadCount)),
                progress: progress)
        try TrainingData.write(written, to: files.selfText)
        return written
    }
}

/// A tokenizer that is opened only when a file holds text and not ids.
private final class TextEncoder {
    private let model: String
    private var opened: Tokenizer?

    init(model: String) { self.model = model }

    func tokenizer() throws -> Tokenizer {
        let tokenizer = try opened ?? Tokenizer(path: model)
        opened = tokenizer
        return tokenizer
    }

    func encode(_ text: String, _ start: Bool) throws -> [Int] {
        try tokenizer().encode(text, addSpecialTokens: start, parseSpecial: false)
    }
}
