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
    }

    public struct Settings: Sendable {
        public var threads: Int
        /// Ends after this many minutes of this invocation, with the best so far.
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

    /// Trains to the end, or as far as time and the loss allow.
    public func run(_ report: (Event) -> Void = { _ in }) throws -> Ending {
        if settings.resumes, let url = settings.checkpoint {
            let state = try TuningCheckpoint.read(url, into: trainer, inputs: inputs)
            let machine = log.machineMultiplyAddsPerSecond
            log = state.log
            log.machineMultiplyAddsPerSecond = machine
            secondsBefore = max(log.entries.last?.seconds ?? 0, log.measurements.last?.seconds ?? 0)
            report(.resumed(step: trainer.step))
        } else if let measured = try trainer.measure() {
            record(measured, seconds: 0, report)
        }
        let start = clock.now
        func seconds() -> Double { secondsBefore + (clock.now - start).inSeconds }
        let deadline = settings.minutes.map { secondsBefore + 60 * $0 }
        let measuring = seconds() - secondsBefore
        var window = Window(started: seconds())
        let first = (step: trainer.step, seconds: seconds())
        while trainer.options.steps == 0 || trainer.step < trainer.options.steps {
            if settings.shouldStop() { return try end(.interrupted, seconds(), report) }
            if let deadline, seconds() >= deadline { return try end(.outOfTime, seconds(), report) }
            if trainer.options.steps == 0, trainer.step == Self.probeSteps {
                guard let deadline else {
                    throw TuningError.invalidOption(name: "steps", value: "0", expected: "given, or minutes")
                }
                let perStep = (seconds() - first.seconds) / Double(Self.probeSteps - first.step)
                setSteps(left: deadline - seconds(), perStep: perStep, measuring: measuring)
            }
            let options = trainer.options
            do {
                window.add(try trainer.advance(), weights: options.weights)
            } catch TuningError.diverged(let step, _, _) {
                return .diverged(step: step)
            }
            let isLast = trainer.step == options.steps
            if trainer.step % options.logEvery == 0 || isLast {
                let entry = window.entry(seconds: seconds())
                log.entries.append(entry)
                report(.step(entry, of: options.steps))
                window = Window(started: seconds())
                if let first = log.entries.first, entry.total > 2 * first.total {
                    return .diverged(step: trainer.step)
                }
            }
            if trainer.step % options.measureEvery == 0, !isLast, let measured = try trainer.measure() {
                record(measured, seconds: seconds(), report)
                window.started = seconds()
            }
            if trainer.step % options.checkpointEvery == 0, !isLast { try checkpoint() }
        }
        return try end(.finished, seconds(), report)
    }

    /// Steps after which their number is set when only minutes were given; the rate is still rising then.
    static let probeSteps = 10

    private func setSteps(left: Double, perStep: Double, measuring: Double) {
        // Each measurement takes time that `measureEvery` steps must pay for.
        let cost = perStep + measuring / Double(trainer.options.measureEvery)
        trainer.options.steps = trainer.step + max(1, Int(0.97 * (left - measuring) / cost))
        log.options.steps = trainer.options.steps
    }

    private func end(_ ending: Ending, _ seconds: Double, _ report: (Event) -> Void) throws -> Ending {
        if log.measurements.last?.step != trainer.step, let measured = try trainer.measure() {
            record(measured, seconds: seconds, report)
        }
        try checkpoint()
        return ending
    }

    private func record(
        _ measured: (losses: Losses, acceptance: Acceptance), seconds: Double, _ report: (Event) -> Void
    ) {
        let measurement = TuningLog.Measurement(
            step: trainer.step, seconds: seconds, losses: measured.losses, acceptance: measured.acceptance)
        log.measurements.append(measurement)
        report(.measured(measurement))
    }

    private func checkpoint() throws {
        guard let url = settings.checkpoint else { return }
        try TuningCheckpoint.write(
            TuningCheckpoint.State(
                step: trainer.step, bestStep: trainer.bestStep, bestAcceptance: trainer.bestAcceptance,
                inputs: inputs, positions: trainer.positions, log: log), trainer, to: url)
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
