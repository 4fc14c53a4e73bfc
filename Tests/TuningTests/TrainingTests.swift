import Foundation
import Kernels
import ModelGraph
import TensorFiles
import TestSupport
import Testing
import Tuning

@Suite("Training")
struct TrainingTests {
    @Test(
        "lowers each loss that it is given",
        arguments: [
            LossWeights(base: 1, sampler: 0, latent: 0), LossWeights(base: 0, sampler: 1, latent: 0),
            LossWeights(base: 0, sampler: 0, latent: 1),
        ])
    func learns(weights: LossWeights) throws {
        var options = TrainingFixture.options(steps: 120)
        options.measureEvery = 150
        options.weights = weights
        let (run, ending) = try TrainingFixture.run(options)
        #expect(ending == .finished)
        let first = try #require(run.log.entries.first)
        let last = try #require(run.log.entries.last)
        #expect(last.total < 0.8 * first.total)
        #expect(abs(last.total - last.losses.total(weights)) < 1e-9 * last.total)
    }

    @Test("gives the same bits for one thread and for three")
    func threads() throws {
        let one = try TrainingFixture.run(TrainingFixture.options(), threads: 1).run
        let three = try TrainingFixture.run(TrainingFixture.options(), threads: 3).run
        #expect(try TrainingFixture.values(one.trainer.graft()) == TrainingFixture.values(three.trainer.graft()))
        #expect(one.log.entries.map(\.losses) == three.log.entries.map(\.losses))
    }

    @Test("goes on from a checkpoint with the same bits", arguments: [3, 5, 11])
    func resume(stop: Int) throws {
        let folder = try TestFiles.temporaryFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let checkpoint = folder.appendingPathComponent("run.checkpoint")
        let whole = try TrainingFixture.run(TrainingFixture.options()).run
        let (_, ending) = try TrainingFixture.run(TrainingFixture.options(), checkpoint: checkpoint, stopAfter: stop)
        #expect(ending == .interrupted)
        let resumed = try TrainingFixture.run(TrainingFixture.options(), checkpoint: checkpoint, resumes: true).run
        #expect(resumed.trainer.step == 12)
        #expect(try TrainingFixture.values(whole.trainer.graft()) == TrainingFixture.values(resumed.trainer.graft()))
        #expect(
            try TrainingFixture.values(whole.trainer.bestGraft())
                == TrainingFixture.values(resumed.trainer.bestGraft()))
    }

    @Test("time over ends cleanly with a graft")
    func minutes() throws {
        var options = TrainingFixture.options(steps: 0)
        options.heldOut = 2
        let text = try TrainingText(TrainingFixture.sequences(40), window: 20, heldOut: 2, seed: 0)
        let run = try TuningRun(
            model: TrainingFixture.model, graft: try TrainingFixture.start(), text: text, options: options,
            settings: .init(threads: 1, minutes: 0.01, modelName: "test"))
        let ending = try run.run()
        #expect(ending == .finished || ending == .outOfTime)
        #expect(run.trainer.step >= 1)
        // Their number was found from the first steps.
        #expect(run.log.options.steps >= run.trainer.step)
    }

    @Test("with minutes alone the rate has decayed when time is over, on a machine that slows down or speeds up")
    func schedule() {
        for slowdown in [0.3, 1, 3] {
            var options = TuningOptions()
            options.steps = 0
            var schedule = TimedSchedule(deadline: 300, measureEvery: 50)
            schedule.measuring = 5
            var (step, now, rates) = (0, 5.0, [Double]())
            while options.steps == 0 || step < options.steps {
                rates.append(options.rate(step: step))
                let cost = now < 150 ? 1 : slowdown
                now += cost
                step += 1
                schedule.addStep(seconds: cost)
                options.steps = schedule.steps(done: step, at: now)
                if step % 50 == 0, step < options.steps {
                    now += 5
                    options.steps = schedule.steps(done: step, at: now)
                }
            }
            // The last measurement ends with the time, give or take a step.
            let end = step % 50 == 0 ? now : now + 5
            let leeway = 2 * max(1, slowdown)
            #expect(end < 300 + leeway && end > 295 - leeway, "slower by \(slowdown): ends at \(end)")
            #expect(rates.last! < 0.06 * options.rate, "slower by \(slowdown): \(rates.last!)")
            #expect(rates.max()! > 0.99 * options.rate)
        }
    }

    @Test("the rate rises for a tenth of the steps at most")
    func shortWarmup() {
        var options = TuningOptions()
        options.steps = 50
        #expect(options.rate(step: 5) > 0.95 * options.rate)
        options.steps = 2000
        #expect(options.rate(step: 49) == options.rate / 2)
    }

    @Test("a run that only time limits goes on from its checkpoint")
    func resumesTimed() throws {
        let folder = try TestFiles.temporaryFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let checkpoint = folder.appendingPathComponent("run.checkpoint")
        let options = TrainingFixture.options(steps: 0)
        let (first, ending) = try TrainingFixture.run(options, checkpoint: checkpoint, stopAfter: 7, minutes: 10)
        #expect(ending == .interrupted && first.trainer.step == 7)
        let resumed = try TrainingFixture.run(options, checkpoint: checkpoint, resumes: true, minutes: 0.02)
        #expect(resumed.ending == .finished || resumed.ending == .outOfTime)
        #expect(resumed.run.trainer.step > 7)
        #expect(resumed.run.log.options.steps >= resumed.run.trainer.step)
    }

    @Test("a graft can be written, read and trained on in a model with interleaved rows")
    func interleaved() throws {
        let configuration = SmallModel.configuration { $0.rotaryOrder = .interleaved }
        let graft = try SmallModel.graft(Graft.Design(masks: 2, rank: 2), configuration)
        let options = TrainingFixture.options(steps: 1)
        let text = try TrainingText(TrainingFixture.sequences(20), window: 20, heldOut: 0, seed: 0)
        let trainer = try Trainer(
            model: SmallModel.graph(configuration), graft: graft, text: text, options: options, threads: 1)
        #expect(try TrainingFixture.values(trainer.graft()) == TrainingFixture.values(graft))
    }
}
