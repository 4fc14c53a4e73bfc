import Foundation
import Kernels
import ModelGraph
import TensorFiles
import TestSupport
import Testing
import Tuning

@Suite("Training")
struct TrainingTests {
    private static let configuration = SmallModel.configuration()
    private static let model = SmallModel.graph(configuration)

    /// Sequences that repeat themselves, so that there is something to learn quickly.
    private static func sequences(_ count: Int, length: Int = 24, seed: UInt64 = 3) -> [TrainingSequence] {
        var generator = SmallModel.Generator(seed: seed)
        return (0..<count).map { index in
            let period = 2 + Int(generator.next() % 4)
            let cycle = (0..<period).map { _ in Int32(generator.next() % 64) }
            return TrainingSequence(
                tokens: (0..<length).map { cycle[$0 % period] }, firstAnchor: index % 3 == 0 ? 5 : 0)
        }
    }

    private static func options(steps: Int = 12) -> TuningOptions {
        var options = TuningOptions()
        options.steps = steps
        options.batch = 3
        options.window = 20
        options.positions = 6
        options.warmup = 4
        options.rate = 1e-2
        options.heldOut = 2
        options.logEvery = 2
        options.measureEvery = 4
        options.checkpointEvery = 5
        options.memory = 1 << 30
        return options
    }

    private static func start(masks: Int = 3) throws -> Graft {
        try TrainingStart.graft(
            Graft.Design(masks: masks, rank: 2, seed: 5), model: model,
            base: GraftBase(digest: "test", configuration: configuration))
    }

    private static func run(
        _ options: TuningOptions, threads: Int = 2, checkpoint: URL? = nil, resumes: Bool = false,
        stopAfter: Int? = nil, start: Graft? = nil
    ) throws -> (run: TuningRun, ending: TuningRun.Ending) {
        let text = try TrainingText(
            sequences(40), window: options.window, heldOut: options.heldOut, seed: options.seed)
        let counter = Counter(limit: stopAfter)
        let run = try TuningRun(
            model: model, graft: try start ?? self.start(), text: text, options: options,
            settings: .init(
                threads: threads, checkpoint: checkpoint, resumes: resumes, modelName: "test",
                shouldStop: { counter.isOver }))
        return (run, try run.run())
    }

    /// Says stop at the given question.
    private final class Counter: @unchecked Sendable {
        private var asked = 0
        private let limit: Int?
        init(limit: Int?) { self.limit = limit }
        var isOver: Bool {
            asked += 1
            return limit.map { asked > $0 } ?? false
        }
    }

    private static func values(_ graft: Graft) throws -> [String: [Float]] {
        var values: [String: [Float]] = [:]
        for tensor in graft.sidecar().tensors { values[tensor.name] = try tensor.floats(rows: 0..<tensor.rowCount) }
        return values
    }

    @Test(
        "lowers each loss that it is given",
        arguments: [
            LossWeights(base: 1, sampler: 0, latent: 0), LossWeights(base: 0, sampler: 1, latent: 0),
            LossWeights(base: 0, sampler: 0, latent: 1),
        ])
    func learns(weights: LossWeights) throws {
        var options = Self.options(steps: 120)
        options.measureEvery = 150
        options.weights = weights
        let (run, ending) = try Self.run(options)
        #expect(ending == .finished)
        let first = try #require(run.log.entries.first)
        let last = try #require(run.log.entries.last)
        #expect(last.total < 0.8 * first.total)
        #expect(abs(last.total - last.losses.total(weights)) < 1e-9 * last.total)
    }

    @Test("gives the same bits for one thread and for three")
    func threads() throws {
        let one = try Self.run(Self.options(), threads: 1).run
        let three = try Self.run(Self.options(), threads: 3).run
        #expect(try Self.values(one.trainer.graft()) == Self.values(three.trainer.graft()))
        #expect(one.log.entries.map(\.losses) == three.log.entries.map(\.losses))
    }

    @Test("goes on from a checkpoint with the same bits", arguments: [3, 5, 11])
    func resume(stop: Int) throws {
        let folder = try TestFiles.temporaryFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let checkpoint = folder.appendingPathComponent("run.checkpoint")
        let whole = try Self.run(Self.options()).run
        let (_, ending) = try Self.run(Self.options(), checkpoint: checkpoint, stopAfter: stop)
        #expect(ending == .interrupted)
        let resumed = try Self.run(Self.options(), checkpoint: checkpoint, resumes: true).run
        #expect(resumed.trainer.step == 12)
        #expect(try Self.values(whole.trainer.graft()) == Self.values(resumed.trainer.graft()))
        #expect(try Self.values(whole.trainer.bestGraft()) == Self.values(resumed.trainer.bestGraft()))
    }

    @Test("refuses a checkpoint of another run, naming what differs [TL-12]")
    func otherRun() throws {
        let folder = try TestFiles.temporaryFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let checkpoint = folder.appendingPathComponent("run.checkpoint")
        _ = try Self.run(Self.options(), checkpoint: checkpoint)
        var options = Self.options()
        options.rate = 1e-3
        #expect {
            try Self.run(options, checkpoint: checkpoint, resumes: true)
        } throws: {
            "\($0)".contains("options differ")
        }
        var generator = SmallModel.Generator(seed: 77)
        let other = try Self.start().mapTensors {
            generator.tensor($0.name, $0.shape, deviation: 0.1)
        }
        #expect {
            try Self.run(Self.options(), checkpoint: checkpoint, resumes: true, start: other)
        } throws: {
            "\($0)".contains("the graft it started from")
        }
        let text = folder.appendingPathComponent("text.checkpoint")
        try Data("no tensors".utf8).write(to: text)
        #expect(throws: (any Error).self) { try Self.run(Self.options(), checkpoint: text, resumes: true) }
    }

    @Test("a rate that diverges ends the run and keeps the last good parameters")
    func divergence() throws {
        var options = Self.options(steps: 400)
        options.rate = 1e6
        options.warmup = 0
        options.measureEvery = 1000
        let (run, ending) = try Self.run(options)
        guard case .diverged(let step) = ending else {
            Issue.record("ended with \(ending)")
            return
        }
        #expect(step > 0)
        for (name, values) in try Self.values(run.trainer.bestGraft()) {
            #expect(values.allSatisfy { $0.isFinite }, "\(name) is not finite")
        }
        #expect(TuningError.diverged(step: 1, loss: 2, lastGood: 0).kind == .negative)
    }

    @Test("time over ends cleanly with a graft")
    func minutes() throws {
        var options = Self.options(steps: 0)
        options.heldOut = 2
        let text = try TrainingText(Self.sequences(40), window: 20, heldOut: 2, seed: 0)
        let run = try TuningRun(
            model: Self.model, graft: try Self.start(), text: text, options: options,
            settings: .init(threads: 1, minutes: 0.01, modelName: "test"))
        let ending = try run.run()
        #expect(ending == .finished || ending == .outOfTime)
        #expect(run.trainer.step >= 1)
        // Their number was found from the first steps.
        #expect(run.log.options.steps >= run.trainer.step)
    }

    @Test("a graft can be written, read and trained on in a model with interleaved rows")
    func interleaved() throws {
        let configuration = SmallModel.configuration { $0.rotaryOrder = .interleaved }
        let graft = try SmallModel.graft(Graft.Design(masks: 2, rank: 2), configuration)
        let options = Self.options(steps: 1)
        let text = try TrainingText(Self.sequences(20), window: 20, heldOut: 0, seed: 0)
        let trainer = try Trainer(
            model: SmallModel.graph(configuration), graft: graft, text: text, options: options, threads: 1)
        #expect(try Self.values(trainer.graft()) == Self.values(graft))
    }

    @Test("a budget too small is refused with what is needed")
    func memory() throws {
        var options = Self.options()
        options.memory = 1 << 20
        #expect {
            try Self.run(options)
        } throws: {
            if case TuningError.memory(let budget, let needed) = $0 { return budget == 1 << 20 && needed > budget }
            return false
        }
    }

    @Test("text shorter than a mask needs, and ids outside the vocabulary, are refused")
    func badText() throws {
        #expect(throws: TuningError.textTooShort(longest: 2, sequences: 1)) {
            try TrainingText([TrainingSequence(tokens: [1, 2])], window: 8, heldOut: 0, seed: 0)
        }
        let text = try TrainingText(
            [TrainingSequence(tokens: [1, 2, 64, 3, 5])], window: 8, heldOut: 0, seed: 0)
        #expect(throws: TuningError.tokenOutside(sequence: 0, token: 64, vocabulary: 64)) {
            try Trainer(model: Self.model, graft: try Self.start(), text: text, options: Self.options(), threads: 1)
        }
    }

    @Test("a family without a tensor that the trainer needs is refused by name")
    func missingTensor() throws {
        var model = Self.model
        model.tensors[TensorRole(.gate, block: 1)] = nil
        let text = try TrainingText(Self.sequences(20), window: 20, heldOut: 0, seed: 0)
        #expect(throws: TuningError.missingTensor(part: "gate", block: 1)) {
            try Trainer(model: model, graft: try Self.start(), text: text, options: Self.options(), threads: 1)
        }
    }
}
