import ArgumentParser
import Dispatch
import Foundation
import Kernels
import ModelGraph
import Synchronization
import TensorFiles
import Tuning

/// How to train.
struct TrainingArguments: ParsableArguments {
    enum GraftType: String, ExpressibleByArgument, CaseIterable { case f32, f16 }

    @Option(help: "Steps to train (default: 2000, or as many as --minutes allow).")
    var steps: Int?

    @Option(
        help: "End after this many minutes, with the best so far; without --steps the rate decays to the end of them."
    )
    var minutes: Double?

    @Option(help: "Masks: how many tokens a step may draft.")
    var masks = 8

    @Option(help: "Rank of the low-rank factors.")
    var rank = 32

    @Option(help: "Linears to adapt, of query,key,value,attentionOutput,gate,up,down.")
    var targets = "all"

    @Option(help: "Sequences of a step.")
    var batch = 4

    @Option(help: "Tokens of a sequence.")
    var window = 256

    @Option(help: "How many tokens of a sequence get masks, at most; fewer when memory is short.")
    var positions = 64

    @Option(help: "Highest learning rate.")
    var rate = 2e-3

    @Option(help: "Steps over which the rate rises, at most a tenth of all.")
    var warmup = 100

    @Option(help: "How the rate goes on after that: cosine or flat.")
    var decay = DecayChoice.cosine

    @Option(help: "Largest norm of a gradient (0: any).")
    var clip = 1.0

    @Option(help: "Losses with their weights, as base=1,sampler=1,latent=1; one left out counts nothing.")
    var loss = "base,sampler,latent"

    @Option(help: "Learn from the base model's N most likely tokens instead of the true one (0: the true one).")
    var softTargets = 8

    @Option(help: "Windows set aside to measure acceptance on.")
    var heldOut = 16

    @Option(help: "Steps from one measurement and checkpoint to the next.")
    var measureEvery = 250

    @Option(help: "Fixes every draw: the same seed and number of steps give the same graft.")
    var seed: UInt64 = 0

    @Option(help: "Memory that the run may take.")
    var maxMemory = ByteSize(4 << 30)

    @Option(help: "How the graft's matrices are stored: f32 or f16.")
    var type = GraftType.f16

    func validate() throws {
        func require(_ condition: Bool, _ text: String) throws { if !condition { throw ValidationError(text) } }
        try require(steps ?? 1 >= 1, "--steps must be at least 1")
        try require(minutes ?? 1 > 0, "--minutes must be above 0")
        try require((1...64).contains(masks), "--masks must be from 1 to 64, not \(masks)")
        try require(rank >= 1, "--rank must be at least 1, not \(rank)")
        try require(
            batch >= 1 && window >= 3 && positions >= 1, "--batch, --window (3) and --positions are too small")
        try require(rate > 0 && rate.isFinite, "--rate must be above 0, not \(rate)")
        try require(warmup >= 0 && clip >= 0, "--warmup and --clip must be 0 or more")
        try require(heldOut >= 0 && measureEvery >= 1, "--held-out must be 0 or more, --measure-every at least 1")
        try require((0...64).contains(softTargets), "--soft-targets must be from 0 to 64, not \(softTargets)")
        _ = try weights()
        _ = try linears()
    }

    func options() throws -> TuningOptions {
        var options = TuningOptions()
        options.steps = steps ?? (minutes == nil ? 2000 : 0)
        options.batch = batch
        options.window = window
        options.positions = positions
        options.weights = try weights()
        options.softTargets = softTargets
        options.rate = rate
        options.warmup = warmup
        options.decay = decay.decay
        options.clip = clip
        options.seed = seed
        options.heldOut = heldOut
        options.measureEvery = measureEvery
        options.checkpointEvery = measureEvery
        options.memory = maxMemory.bytes
        return options
    }

    var design: Graft.Design {
        get throws { Graft.Design(masks: masks, rank: rank, linears: try linears(), seed: seed) }
    }

    private func linears() throws -> [TensorRole.Part] {
        if targets == "all" { return Graft.linears }
        return try targets.split(separator: ",").map { name in
            guard let part = TensorRole.Part(rawValue: String(name)), Graft.linears.contains(part) else {
                throw ValidationError(
                    "--targets: \(name) is none of \(Graft.linears.map(\.rawValue).joined(separator: ", "))")
            }
            return part
        }
    }

    private func weights() throws -> LossWeights {
        var weights = LossWeights(base: 0, sampler: 0, latent: 0)
        for item in loss.split(separator: ",") {
            let pair = item.split(separator: "=", maxSplits: 1)
            guard let value = pair.count == 2 ? Double(pair[1]) : 1, value >= 0, value.isFinite else {
                throw ValidationError("--loss: \(item) has no weight of 0 or more")
            }
            switch pair.first {
            case "base": weights.base = value
            case "sampler": weights.sampler = value
            case "latent": weights.latent = value
            default: throw ValidationError("--loss: \(item) is none of base, sampler, latent")
            }
        }
        guard weights.base + weights.sampler + weights.latent > 0 else {
            throw ValidationError("--loss leaves nothing to learn from")
        }
        return weights
    }
}

enum DecayChoice: String, ExpressibleByArgument, CaseIterable {
    case cosine, flat

    var decay: TuningOptions.Decay { self == .cosine ? .cosine : .flat }
}

/// Raised by the first Ctrl-C, so that a run ends with a checkpoint.
final class InterruptFlag: @unchecked Sendable {
    private let raised = Atomic(false)
    /// Only made and kept.
    private let source: any DispatchSourceSignal

    init() {
        signal(SIGINT, SIG_IGN)
        source = DispatchSource.makeSignalSource(signal: SIGINT, queue: .global())
        source.setEventHandler { [self] in
            if raised.exchange(true, ordering: .relaxed) { Foundation.exit(130) }
        }
        source.resume()
    }

    var isRaised: Bool { raised.load(ordering: .relaxed) }
}

/// The files beside the graft.
struct TuningFiles {
    let output: URL
    var checkpoint: URL { output.appendingPathExtension("checkpoint") }
    var selfText: URL { output.appendingPathExtension("self.jsonl") }
    var logJSON: URL { output.appendingPathExtension("log.json") }
    var logCSV: URL { output.appendingPathExtension("log.csv") }
    var curves: URL { output.appendingPathExtension("svg") }

    func refuseExisting() throws {
        for file in [output, checkpoint, selfText, logJSON, logCSV, curves]
        where FileManager.default.fileExists(atPath: file.path) {
            throw TensorFileError.exists(file: file.path)
        }
    }

    func removeCheckpoint() { try? FileManager.default.removeItem(at: checkpoint) }

    /// The best graft, the log and its curves.
    func write(_ run: TuningRun, type: TrainingArguments.GraftType) throws {
        var graft = run.trainer.bestGraft()
        if type == .f16 { graft = try graft.mapTensors(Self.halved) }
        let (metadata, tensors) = graft.sidecar()
        let plan = try OutputPlan.gguf(
            tensors.map { TensorDeclaration($0) }, metadata: metadata, name: output.lastPathComponent)
        let writer = try CheckpointWriter(
            plan, folder: output.deletingLastPathComponent().path,
            options: .init(overwrites: true, keepsPartial: false))
        for index in plan.writingOrder { try writer.write(tensors[index]) }
        try writer.finish()
        try put(run.log.json, logJSON)
        try put(Data(run.log.csv.utf8), logCSV)
        try put(Data(CurvePlot(run.log).svg.utf8), curves)
    }

    private func put(_ data: Data, _ url: URL) throws {
        do {
            try data.write(to: url, options: .atomic)
        } catch {
            throw TuningError.cannotWrite(file: url.path, reason: (error as NSError).localizedDescription)
        }
    }

    /// Matrices in F16; vectors and masks stay as they are.
    private static func halved(_ tensor: Tensor) throws -> Tensor {
        guard tensor.shape.count == 2, tensor.name != "mask_embedding" else { return tensor }
        let values = try tensor.floats(rows: 0..<tensor.rowCount)
        let bytes = try BlockCodec.encode(.f16, .nearest, values, rowLength: tensor.rowLength)
        guard let half = Tensor(name: tensor.name, shape: tensor.shape, type: .f16, source: MemorySource(bytes))
        else { return tensor }
        return half
    }
}

/// Progress on standard error.
struct TuningView {
    let quiet: Bool

    func show(_ event: TuningRun.Event) {
        guard !quiet else { return }
        switch event {
        case .resumed(let step): Console.standardError("resumed at step \(step)\n")
        case .step(let entry, let total):
            let left = entry.step > 0 ? entry.seconds / Double(entry.step) * Double(total - entry.step) : 0
            let line = String(
                format: "step %d of %d: base %.3f sampler %.3f latent %.3f, %.0f rows/s, %.1f Gmadd/s, %@ left",
                entry.step, total, entry.losses.base, entry.losses.sampler, entry.losses.latent,
                entry.rowsPerSecond, entry.multiplyAddsPerSecond * 1e-9, Self.time(left))
            Console.standardError(Console.errorIsTerminal ? "\r\u{1B}[K" + line : line + "\n")
        case .measured(let measurement):
            let acceptance = measurement.acceptance
            let depths = acceptance.byDepth.map { String(format: "%.3f", $0) }.joined(separator: " ")
            Console.standardError(
                (Console.errorIsTerminal ? "\r\u{1B}[K" : "")
                    + String(
                        format: "held out at step %d: base %.3f sampler %.3f latent %.3f; %.3f tokens a step "
                            + "(%.3f without sampler); accepted by depth ", measurement.step,
                        measurement.losses.base, measurement.losses.sampler, measurement.losses.latent,
                        acceptance.tokensPerStep, acceptance.tokensPerStepWithoutSampler) + depths + "\n")
        }
    }

    private static func time(_ seconds: Double) -> String {
        let whole = Int(seconds.rounded())
        return whole >= 60 ? "\(whole / 60) min \(whole % 60) s" : "\(whole) s"
    }
}

/// What `tune --json` prints.
struct TuningReport: Encodable {
    var ending: String
    var steps: Int
    var bestStep: Int
    var tokensPerStep: Double?
    var seconds: Double
    var multiplyAddsPerSecond: Double?
    var machineMultiplyAddsPerSecond: Double?
    var graft: String
    var log: String

    init(_ run: TuningRun, _ ending: TuningRun.Ending, _ files: TuningFiles) {
        switch ending {
        case .finished: self.ending = "finished"
        case .outOfTime: self.ending = "outOfTime"
        case .interrupted: self.ending = "interrupted"
        case .diverged: self.ending = "diverged"
        case .checkpointNotWritten: self.ending = "checkpointNotWritten"
        }
        steps = run.trainer.step
        bestStep = run.trainer.bestStep
        tokensPerStep = run.log.measurements.first { $0.step == run.trainer.bestStep }?.acceptance.tokensPerStep
        seconds = run.log.measurements.last?.seconds ?? run.log.entries.last?.seconds ?? 0
        multiplyAddsPerSecond = run.log.entries.map(\.multiplyAddsPerSecond).sorted().middle
        machineMultiplyAddsPerSecond = run.log.machineMultiplyAddsPerSecond
        graft = files.output.path
        log = files.logJSON.path
    }
}

extension [Double] {
    fileprivate var middle: Double? { isEmpty ? nil : self[count / 2] }
}
