import Foundation
import Kernels
import ModelGraph
import TensorFiles
import TestSupport
import Testing
import Tuning

@Suite("Training refuses or survives")
struct BadInputTests {
    @Test("refuses a checkpoint of another run, naming what differs [TL-12]")
    func otherRun() throws {
        let folder = try TestFiles.temporaryFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let checkpoint = folder.appendingPathComponent("run.checkpoint")
        _ = try TrainingFixture.run(TrainingFixture.options(), checkpoint: checkpoint)
        var options = TrainingFixture.options()
        options.rate = 1e-3
        options.weights.latent = 0
        let differences = ["rate was 0.01, now 0.001", "weights.latent was 1.0, now 0.0"]
        #expect(throws: TuningError.otherRun(file: checkpoint.path, differences: differences)) {
            try TrainingFixture.run(options, checkpoint: checkpoint, resumes: true)
        }
        var generator = SmallModel.Generator(seed: 77)
        let other = try TrainingFixture.start().mapTensors {
            generator.tensor($0.name, $0.shape, deviation: 0.1)
        }
        #expect {
            try TrainingFixture.run(TrainingFixture.options(), checkpoint: checkpoint, resumes: true, start: other)
        } throws: {
            "\($0)".contains("the graft it started from")
        }
    }

    @Test("a rate that diverges ends the run and keeps the last good parameters", arguments: [0, 2])
    func divergence(heldOut: Int) throws {
        var options = TrainingFixture.options(steps: 400)
        options.heldOut = heldOut
        options.rate = 1e6
        options.warmup = 0
        options.measureEvery = 1000
        // The first mean is one of steps that have diverged already.
        options.logEvery = 10
        let (run, ending) = try TrainingFixture.run(options)
        guard case .diverged(let step) = ending else {
            Issue.record("ended with \(ending)")
            return
        }
        #expect(step > 0)
        #expect(run.trainer.bestStep == 0)
        for (name, values) in try TrainingFixture.values(run.trainer.bestGraft()) {
            #expect(values.allSatisfy { $0.isFinite }, "\(name) is not finite")
        }
        #expect(TuningError.diverged(step: 1, loss: 2, lastGood: 0).kind == .negative)
    }

    @Test("a budget too small is refused with what is needed")
    func memory() throws {
        var options = TrainingFixture.options()
        options.memory = 1 << 20
        #expect {
            try TrainingFixture.run(options)
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
        #expect(throws: TuningError.textShorterThanWindow(tokens: 7, window: 8)) {
            let sequences = [TrainingSequence(tokens: [1, 2, 3]), TrainingSequence(tokens: [4, 5, 6, 7])]
            return try TrainingText(sequences, window: 8, heldOut: 0, seed: 0)
        }
        let text = try TrainingText(
            [TrainingSequence(tokens: [1, 2, 64, 3, 5])], window: 5, heldOut: 0, seed: 0)
        #expect(throws: TuningError.tokenOutside(sequence: 0, token: 64, vocabulary: 64)) {
            try Trainer(
                model: TrainingFixture.model, graft: try TrainingFixture.start(), text: text,
                options: TrainingFixture.options(), threads: 1)
        }
    }

    @Test("a family whose blocks compute with something that has no gradient is refused by name")
    func noGradient() throws {
        var model = TrainingFixture.model
        model.tensors[TensorRole(.gateUp, block: 1)] = model.tensors[TensorRole(.gate, block: 1)]
        let text = try TrainingText(TrainingFixture.sequences(20), window: 20, heldOut: 0, seed: 0)
        let expected = TuningError.noGradient(family: "test", part: "gateUp", block: 1)
        #expect(throws: expected) {
            try Trainer(
                model: model, graft: try TrainingFixture.start(), text: text, options: TrainingFixture.options(),
                threads: 1)
        }
        #expect("\(expected)".hasPrefix("this test model has gateUp in block 1, for which training has no gradient"))
    }

    @Test("a family without a tensor that the trainer needs is refused by name")
    func missingTensor() throws {
        var model = TrainingFixture.model
        model.tensors[TensorRole(.gate, block: 1)] = nil
        let text = try TrainingText(TrainingFixture.sequences(20), window: 20, heldOut: 0, seed: 0)
        #expect(throws: TuningError.missingTensor(part: "gate", block: 1)) {
            try Trainer(
                model: model, graft: try TrainingFixture.start(), text: text, options: TrainingFixture.options(),
                threads: 1)
        }
    }

    @Test("without room for a checkpoint the run stops, says so, and leaves the last one whole")
    func noRoom() throws {
        let folder = try TestFiles.temporaryFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let checkpoint = folder.appendingPathComponent("run.checkpoint")
        // A folder in the place of the file that becomes the next checkpoint cannot be written to by anybody.
        let obstacle = folder.appendingPathComponent("run.checkpoint.partial")
        let options = TrainingFixture.options()
        let whole = try TrainingFixture.run(options).run
        let (run, ending) = try TrainingFixture.run(options, checkpoint: checkpoint) { event in
            guard case .step(let entry, _) = event, entry.step == 6 else { return }
            try? FileManager.default.createDirectory(
                at: obstacle.appendingPathComponent("inside"), withIntermediateDirectories: true)
        }
        guard case .checkpointNotWritten(let reason, last: 5) = ending else {
            Issue.record("ended with \(ending)")
            return
        }
        #expect(run.trainer.step == 10 && reason.contains(obstacle.path))
        let error = TuningError.checkpointNotWritten(reason: reason, last: 5)
        #expect(error.kind == .resources && "\(error)".contains("the one of step 5 is whole"))
        try FileManager.default.removeItem(at: obstacle)
        let resumed = try TrainingFixture.run(options, checkpoint: checkpoint, resumes: true).run
        #expect(try TrainingFixture.values(resumed.trainer.graft()) == TrainingFixture.values(whole.trainer.graft()))
    }

    @Test("a damaged checkpoint is refused", arguments: ["flipped", "short", "header", "text"])
    func damagedCheckpoint(_ damage: String) throws {
        let folder = try TestFiles.temporaryFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let checkpoint = folder.appendingPathComponent("run.checkpoint")
        _ = try TrainingFixture.run(TrainingFixture.options(), checkpoint: checkpoint, stopAfter: 6)
        var bytes = try Data(contentsOf: checkpoint)
        switch damage {
        case "flipped": bytes[bytes.count - 100] ^= 1
        case "short": bytes.removeLast(40)
        case "header": bytes[20] ^= 0x40
        default: bytes = Data("no tensors".utf8)
        }
        try bytes.write(to: checkpoint)
        #expect {
            try TrainingFixture.run(TrainingFixture.options(), checkpoint: checkpoint, resumes: true)
        } throws: {
            "\($0)".contains(checkpoint.path) && ($0 as? any DescribedError)?.kind == .input
        }
    }
}
