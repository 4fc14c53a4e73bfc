import Foundation
import Kernels
import ModelGraph
import TensorFiles
import TestSupport
import Tuning

/// Runs on a model with random weights that take milliseconds.
enum TrainingFixture {
    static let configuration = SmallModel.configuration()
    static let model = SmallModel.graph(configuration)

    /// Sequences that repeat themselves, so that there is something to learn quickly.
    static func sequences(_ count: Int, length: Int = 24, seed: UInt64 = 3) -> [TrainingSequence] {
        var generator = SmallModel.Generator(seed: seed)
        return (0..<count).map { index in
            let period = 2 + Int(generator.next() % 4)
            let cycle = (0..<period).map { _ in Int32(generator.next() % 64) }
            return TrainingSequence(
                tokens: (0..<length).map { cycle[$0 % period] }, firstAnchor: index % 3 == 0 ? 5 : 0)
        }
    }

    static func options(steps: Int = 12) -> TuningOptions {
        var options = TuningOptions()
        options.steps = steps
        options.batch = 3
        options.window = 20
        options.positions = 6
        options.softTargets = 0
        options.warmup = 4
        options.rate = 1e-2
        options.heldOut = 2
        options.logEvery = 2
        options.measureEvery = 4
        options.checkpointEvery = 5
        options.memory = 1 << 30
        return options
    }

    static func start(masks: Int = 3) throws -> Graft {
        try TrainingStart.graft(
            Graft.Design(masks: masks, rank: 2, seed: 5), model: model,
            base: GraftBase(digest: "test", configuration: configuration))
    }

    static func run(
        _ options: TuningOptions, threads: Int = 2, checkpoint: URL? = nil, resumes: Bool = false,
        stopAfter: Int? = nil, start: Graft? = nil, minutes: Double? = nil,
        report: (TuningRun.Event) -> Void = { _ in }
    ) throws -> (run: TuningRun, ending: TuningRun.Ending) {
        let text = try TrainingText(
            sequences(40), window: options.window, heldOut: options.heldOut, seed: options.seed)
        let counter = Counter(limit: stopAfter)
        let run = try TuningRun(
            model: model, graft: try start ?? self.start(), text: text, options: options,
            settings: .init(
                threads: threads, minutes: minutes, checkpoint: checkpoint, resumes: resumes, modelName: "test",
                shouldStop: { counter.isOver }))
        return (run, try run.run(report))
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

    static func values(_ graft: Graft) throws -> [String: [Float]] {
        var values: [String: [Float]] = [:]
        for tensor in graft.sidecar().tensors { values[tensor.name] = try tensor.floats(rows: 0..<tensor.rowCount) }
        return values
    }
}
