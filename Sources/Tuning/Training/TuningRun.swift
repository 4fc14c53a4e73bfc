public import Foundation
public import ModelGraph
import Runtime
import TensorFiles

/// A whole training run: steps, measurements, log, checkpoints, and an end that is always clean.
public final class TuningRun {
    public enum Event: Sendable {
        /// Took up a checkpoint.
        case resumed(step: Int)
        case step(TuningLog.Entry, of: Int)
        case measured(TuningLog.Measurement)
    }

    public enum Ending: Hashable, Sendable {
        case finished, outOfTime, interrupted
        case diverged(step: Int)
        /// A checkpoint could not be written; `last` is the step of the one before, which is whole.
        case checkpointNotWritten(reason: String, last: Int?)
    }

    public struct Settings: Sendable {
        public var threads: Int
        /// Ends after this many minutes of this invocation, with the best so far. When no number of steps is given,
        /// the rate decays to the end of this time.
        public var minutes: Double?
        /// Where checkpoints go; `nil`: none are written.
        public var checkpoint: URL?
        public var resumes: Bool
        /// How the model is called in the log.
        public var modelName: String
        /// Asked between steps; `true` ends the run as if time were over.
        public var shouldStop: @Sendable () -> Bool

        public init(
            threads: Int, minutes: Double? = nil, checkpoint: URL? = nil, resumes: Bool = false, modelName: String,
            shouldStop: @escaping @Sendable () -> Bool = { false }
        ) {
            self.threads = threads
            self.minutes = minutes
            self.checkpoint = checkpoint
            self.resumes = resumes
            self.modelName = modelName
            self.shouldStop = shouldStop
        }
    }

    public let trainer: Trainer
    public private(set) var log: TuningLog
    private let settings: Settings
    private let inputs: String
    private let clock = ContinuousClock()
    /// Seconds of earlier invocations.
    private var secondsBefore = 0.0
    /// The number of steps follows from the time given.
    private var isTimed = false
    private var lastCheckpoint: Int?
    /// Of the first step, before anything was learned; a mean of twice as much is divergence.
    private var startingLoss: Double?

    public init(
        model: ModelGraph, graft: Graft, text: TrainingText, options: TuningOptions, settings: Settings
    ) throws {
        trainer = try Trainer(model: model, graft: graft, text: text, options: options, threads: settings.threads)
        self.settings = settings
        inputs = Self.fingerprint(model, trainer, text)
        log = TuningLog(
            model: settings.modelName, masks: graft.maskCount, rank: graft.rank,
            parameters: trainer.parameters.layout.count, options: options, threads: settings.threads,
            machineMultiplyAddsPerSecond: MachineSpeed.multiplyAddsPerSecond() * Double(settings.threads))
    }

    /// FNV-1a over the text's tokens, where training starts, and the model's shape.
    private static func fingerprint(_ model: ModelGraph, _ trainer: Trainer, _ text: TrainingText) -> String {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        func add(_ value: UInt64) { hash = (hash ^ value) &* 0x0000_0100_0000_01B3 }
        for sequence in text.training + text.heldOut {
            add(UInt64(sequence.firstAnchor))
            for token in sequence.tokens { add(UInt64(UInt32(bitPattern: token))) }
        }
        for value in trainer.parameters.values.values { add(UInt64(value.bitPattern)) }
        for (role, tensor) in model.tensors.sorted(by: { $0.key < $1.key }) {
            for byte in (role.part.rawValue + tensor.type.rawValue).utf8 { add(UInt64(byte)) }
            add(UInt64(tensor.elementCount))
        }
        return String(hash, radix: 16)
    }

    /// Trains to the end, or as far as time, disk and the loss allow.
    public func run(_ report: (Event) -> Void = { _ in }) throws -> Ending {
        isTimed = trainer.options.steps == 0
        let start = clock.now
        func seconds() -> Double { secondsBefore + (clock.now - start).inSeconds }
        try begin(report)
        if isTimed, settings.minutes == nil {
            throw TuningError.invalidOption(name: "steps", value: "0", expected: "given, or minutes")
        }
        let deadline = settings.minutes.map { secondsBefore + 60 * $0 }
        var schedule = deadline.flatMap {
            isTimed ? TimedSchedule(deadline: $0, measureEvery: trainer.options.measureEvery) : nil
        }
        schedule?.measuring = seconds() - secondsBefore
        var window = Window(started: seconds())
        while trainer.options.steps == 0 || trainer.step < trainer.options.steps {
            if settings.shouldStop() { return try end(.interrupted, seconds(), report) }
            let before = seconds()
            if let deadline, before >= deadline { return try end(.outOfTime, before, report) }
            do {
                let done = try trainer.advance()
                startingLoss = startingLoss ?? done.losses.total(trainer.options.weights)
                window.add(done, weights: trainer.options.weights)
            } catch TuningError.diverged(let step, _, _) {
                return .diverged(step: step)
            }
            if schedule != nil {
                schedule?.addStep(seconds: seconds() - before)
                setSteps(schedule?.steps(done: trainer.step, at: seconds()) ?? trainer.step)
            }
            let options = trainer.options
            let isLast = trainer.step == options.steps
            if trainer.step % options.logEvery == 0 || isLast {
                let entry = window.entry(seconds: seconds())
                log.entries.append(entry)
                report(.step(entry, of: options.steps))
                window = Window(started: seconds())
                if let startingLoss, entry.total > 2 * startingLoss { return .diverged(step: trainer.step) }
            }
            if trainer.step % options.measureEvery == 0, !isLast {
                let before = seconds()
                record(try trainer.measure(), seconds: before, report)
                if schedule != nil {
                    schedule?.measuring = seconds() - before
                    setSteps(schedule?.steps(done: trainer.step, at: seconds()) ?? trainer.step)
                }
                window.started = seconds()
            }
            if trainer.step % options.checkpointEvery == 0, !isLast, let failure = try checkpoint() {
                return failure
            }
        }
        return try end(.finished, seconds(), report)
    }

    /// Takes up the checkpoint, or measures where training starts.
    private func begin(_ report: (Event) -> Void) throws {
        guard settings.resumes, let url = settings.checkpoint else {
            return record(try trainer.measure(), seconds: 0, report)
        }
        let state = try TuningCheckpoint.read(url, into: trainer, inputs: inputs)
        isTimed = isTimed && state.timed == true
        lastCheckpoint = state.step
        let machine = log.machineMultiplyAddsPerSecond
        log = state.log
        log.machineMultiplyAddsPerSecond = machine
        log.options.steps = trainer.options.steps
        startingLoss = state.startingLoss
        secondsBefore = max(log.entries.last?.seconds ?? 0, log.measurements.last?.seconds ?? 0)
        report(.resumed(step: trainer.step))
    }

    private func setSteps(_ steps: Int) {
        trainer.options.steps = steps
        log.options.steps = steps
    }

    private func end(_ ending: Ending, _ seconds: Double, _ report: (Event) -> Void) throws -> Ending {
        if log.measurements.last?.step != trainer.step { record(try trainer.measure(), seconds: seconds, report) }
        return try checkpoint() ?? ending
    }

    private func record(
        _ measured: (losses: Losses, acceptance: Acceptance)?, seconds: Double, _ report: (Event) -> Void
    ) {
        guard let measured else { return }
        let measurement = TuningLog.Measurement(
            step: trainer.step, seconds: seconds, losses: measured.losses, acceptance: measured.acceptance)
        log.measurements.append(measurement)
        report(.measured(measurement))
    }

    /// How the run ends when the checkpoint cannot be written: training on would be lost with the next mishap.
    private func checkpoint() throws -> Ending? {
        guard let url = settings.checkpoint else { return nil }
        do {
            try TuningCheckpoint.write(
                TuningCheckpoint.State(
                    step: trainer.step, bestStep: trainer.bestStep, bestAcceptance: trainer.bestAcceptance,
                    inputs: inputs, positions: trainer.positions, timed: isTimed, startingLoss: startingLoss,
                    log: log), trainer, to: url)
        } catch let error as TensorFileError where error.kind == .resources {
            return .checkpointNotWritten(reason: error.description, last: lastCheckpoint)
        }
        lastCheckpoint = trainer.step
        return nil
    }

    /// The steps since the last entry of the log.
    private struct Window {
        var started: Double
        private var reports: [Trainer.StepReport] = []
        private var total = 0.0

        init(started: Double) { self.started = started }

        mutating func add(_ report: Trainer.StepReport, weights: LossWeights) {
            reports.append(report)
            total += report.losses.total(weights)
        }

        func entry(seconds: Double) -> TuningLog.Entry {
            let count = Double(max(1, reports.count))
            let elapsed = max(1e-9, seconds - started)
            let losses = reports.reduce(Losses()) { $0 + $1.losses }
            return TuningLog.Entry(
                step: (reports.last?.step ?? -1) + 1, seconds: seconds,
                losses: Losses(
                    base: losses.base / count, sampler: losses.sampler / count, latent: losses.latent / count),
                total: total / count, rate: reports.last?.rate ?? 0,
                gradientNorm: reports.reduce(0) { $0 + $1.gradientNorm } / count,
                rowsPerSecond: Double(reports.reduce(0) { $0 + $1.rows }) / elapsed,
                multiplyAddsPerSecond: Double(reports.reduce(0) { $0 + $1.multiplyAdds }) / elapsed)
        }
    }
}
