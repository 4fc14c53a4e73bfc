import ArgumentParser
import Foundation
import ModelGraph
import TensorFiles
import Tuning

struct TuneCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tune",
        abstract: "Trains a graft (masks, gated LoRA, sampler) on the CPU, against the model that will run.")

    @Argument(help: "The base model: a Hub directory, .safetensors or .gguf of any type. It is not changed.")
    var model: String

    @Option(name: .long, parsing: .upToNextOption, help: "Text files, or .jsonl of prompts and answers.")
    var text: [String] = []

    @Option(name: .shortAndLong, help: "The graft to write (.gguf).")
    var output: String

    @Option(help: "Steps to train.") var steps = 2000
    @Option(help: "End after this many minutes, with the best so far.") var minutes: Double?
    @Option(help: "Masks: how many tokens a step may draft.") var masks = 8
    @Option(help: "Rank of the low-rank factors.") var rank = 32
    @Option(help: "Sequences a step.") var batch = 4
    @Option(help: "Tokens of a sequence.") var window = 256
    @Option(help: "Tokens of a sequence that get masks, at most.") var positions = 64
    @Option(help: "Highest learning rate.") var rate = 2e-3
    @Option(help: "Steps over which the rate rises.") var warmup = 100
    @Option(help: "Learn from the base model's N most likely tokens instead of the true one.") var softTargets = 0
    @Option(help: "Weights of the losses.") var loss = "base=1,sampler=1,latent=1"
    @Option(help: "Windows set aside for measuring.") var heldOut = 16
    @Option(help: "Steps between measurements.") var measureEvery = 250
    @Option(help: "Fixes every draw.") var seed: UInt64 = 0
    @Option(help: "Memory the run may take.") var maxMemory = ByteSize(argument: "4GiB")!
    @Flag(help: "Go on from the checkpoint beside the output.") var resume = false
    @Flag(help: "Overwrite the output.") var force = false
    @OptionGroup var common: CommonOptions

    func run() throws {
        let graph = try ModelGraph.open(model).canonical()
        var options = TuningOptions()
        options.steps = steps
        options.batch = batch
        options.window = window
        options.positions = positions
        options.rate = rate
        options.warmup = warmup
        options.softTargets = softTargets
        options.heldOut = heldOut
        options.measureEvery = measureEvery
        options.checkpointEvery = measureEvery
        options.seed = seed
        options.memory = maxMemory.bytes
        for part in loss.split(separator: ",") {
            let pair = part.split(separator: "=")
            let value = pair.count == 2 ? Double(pair[1]) ?? 1 : 1
            switch pair[0] {
            case "base": options.weights.base = value
            case "sampler": options.weights.sampler = value
            case "latent": options.weights.latent = value
            default: throw ValidationError("--loss \(part)")
            }
        }
        var sequences: [TrainingSequence] = []
        for file in text {
            sequences += try TrainingData.read(URL(fileURLWithPath: file)) { _, _ in
                throw ValidationError("text needs a tokenizer")
            }
        }
        let data = try TrainingText(sequences, window: window, heldOut: heldOut, seed: seed)
        let graft = try Graft(
            new: Graft.Design(masks: masks, rank: rank, seed: seed), configuration: graph.configuration,
            embeddingDeviation: 0.02, base: GraftBase(digest: "", configuration: graph.configuration))
        let url = URL(fileURLWithPath: output)
        let run = try TuningRun(
            model: graph, graft: graft, text: data, options: options,
            settings: .init(
                threads: common.threadCount, minutes: minutes, checkpoint: url.appendingPathExtension("checkpoint"),
                resumes: resume, modelName: model))
        let ending = try run.run { event in
            switch event {
            case .resumed(let step): Console.standardError("resumed at \(step)\n")
            case .step(let entry, let total):
                Console.standardError(
                    String(
                        format: "%d/%d %.0fs base %.3f sampler %.3f latent %.4f norm %.3f %.0f rows/s %.1f GMAC/s\n",
                        entry.step, total, entry.seconds, entry.losses.base, entry.losses.sampler,
                        entry.losses.latent, entry.gradientNorm, entry.rowsPerSecond,
                        entry.multiplyAddsPerSecond * 1e-9))
            case .measured(let measurement):
                Console.standardError(
                    String(
                        format: "held out: base %.3f sampler %.3f latent %.4f tokens/step %.3f (%.3f) ",
                        measurement.losses.base, measurement.losses.sampler, measurement.losses.latent,
                        measurement.acceptance.tokensPerStep, measurement.acceptance.tokensPerStepWithoutSampler)
                        + measurement.acceptance.byDepth.map { String(format: "%.3f", $0) }.joined(separator: " ")
                        + "\n")
            }
        }
        Console.standardError("\(ending), machine \(run.log.machineMultiplyAddsPerSecond ?? 0)\n")
        let best = run.trainer.bestGraft()
        let (metadata, tensors) = best.sidecar()
        let plan = try OutputPlan.gguf(
            tensors.map { TensorDeclaration($0) }, metadata: metadata, name: url.lastPathComponent)
        let writer = try CheckpointWriter(
            plan, folder: url.deletingLastPathComponent().path, options: .init(overwrites: force))
        for index in plan.writingOrder { try writer.write(tensors[index]) }
        try writer.finish()
        try run.log.json.write(to: url.appendingPathExtension("log.json"))
        try Data(run.log.csv.utf8).write(to: url.appendingPathExtension("log.csv"))
    }
}
