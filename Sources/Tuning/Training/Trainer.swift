import Dispatch
import Foundation
public import ModelGraph
import Runtime
import Synchronization
import TensorFiles

/// Trains a graft: draws sequences, runs passes on several threads, sums their gradients in a fixed order, updates.
///
/// Everything that a step draws depends on the seed and the step's number alone, and gradients are summed in the
/// order of the batch: the result is the same for any number of threads, and after any interruption.
public final class Trainer {
    public internal(set) var options: TuningOptions
    public let text: TrainingText
    /// Steps done.
    public private(set) var step = 0
    /// What the memory budget allowed.
    public var positions: Int { memory.positions }

    private let model: FrozenModel
    private let design: Graft
    let parameters: GraftParameters
    let optimizer: Optimizer
    /// The parameters that did best on the held-out slice (the last ones kept when nothing is held out), and how well.
    let best: Matrix
    private(set) var bestAcceptance: Double?
    public private(set) var bestStep = 0
    private let memory: MemoryPlan
    private let cost: TrainingCost
    private let workers: [Worker]
    private let gradient: Matrix

    private final class Worker: @unchecked Sendable {
        let pass: TrainingPass
        let gradient: Matrix
        init(pass: TrainingPass, gradient: Matrix) {
            self.pass = pass
            self.gradient = gradient
        }
    }

    /// What one step found.
    public struct StepReport: Sendable {
        public var step: Int
        public var losses: Losses
        public var gradientNorm: Double
        public var rate: Double
        /// Mask rows, and multiply-adds that the method needs for them.
        public var rows: Int
        public var multiplyAdds: Int
    }

    /// - Parameters:
    ///   - model: in canonical form.
    ///   - graft: where training starts, in the Hub's order of rows.
    public init(
        model graph: ModelGraph, graft: Graft, text: TrainingText, options: TuningOptions, threads: Int
    ) throws {
        Product.useOneThread()
        let configuration = graph.configuration
        self.options = options
        self.text = text
        design = try graft.bound(to: configuration)
        parameters = try GraftParameters(design, configuration: configuration)
        let layout = parameters.layout
        let workerCount = min(threads, options.batch)
        let weightBytes = graph.tensors.values.reduce(0) { $0 + 4 * $1.elementCount }
        memory = try MemoryPlan(
            budget: options.memory, configuration: configuration, layout: layout, options: options,
            workers: workerCount, weightBytes: weightBytes)
        let base = try FrozenModel(graph, residentBudget: memory.residentBudget)
        model = base
        for (index, sequence) in (text.training + text.heldOut).enumerated() {
            if let token = sequence.tokens.first(where: { $0 < 0 || Int($0) >= configuration.vocabularySize }) {
                throw TuningError.tokenOutside(
                    sequence: index, token: Int(token), vocabulary: configuration.vocabularySize)
            }
        }
        optimizer = Optimizer(count: layout.count)
        best = Matrix(1, layout.count)
        best.view.copy(from: parameters.values.view)
        cost = TrainingCost(configuration: configuration, layout: layout, weights: options.weights)
        gradient = Matrix(1, layout.count)
        let logitBytes = memory.logitBytes
        workers = (0..<workerCount).map { _ in
            Worker(
                pass: TrainingPass(
                    model: base, layout: layout, positions: options.window + layout.maskCount,
                    logitBytes: logitBytes), gradient: Matrix(1, layout.count))
        }
    }

    /// Runs `body` for each index on the workers, a wave at a time, then hands results over in the order of indices.
    private func inWaves<Result: Sendable>(
        _ count: Int, _ body: @escaping @Sendable (Worker, Int) throws -> Result,
        _ collect: (Worker, Result) throws -> Void
    ) throws {
        for start in stride(from: 0, to: count, by: workers.count) {
            let wave = start..<min(count, start + workers.count)
            let results = Mutex<[Int: Swift.Result<Result, any Error>]>([:])
            let workers = self.workers
            DispatchQueue.concurrentPerform(iterations: wave.count) { place in
                let result = Swift.Result { try body(workers[place], start + place) }
                results.withLock { $0[place] = result }
            }
            let finished = results.withLock { $0 }
            for place in 0..<wave.count { try collect(workers[place], finished[place]!.get()) }
        }
    }

    /// One step: a batch of sequences, their averaged gradient, an update.
    public func advance() throws -> StepReport {
        let options = self.options
        var stream = RandomStream(seed: options.seed &* 0x9E37_79B9_7F4A_7C15 &+ UInt64(step))
        let masks = parameters.layout.maskCount
        let batch = (0..<options.batch).map { _ in
            text.draw(&stream, window: options.window, positions: memory.positions, masks: masks)
        }
        let normalisers = LossNormalisers(
            rows: max(1, batch.reduce(0) { $0 + $1.rowCount }),
            latent: max(1, batch.reduce(0) { $0 + $1.latentCount }))
        gradient.fill(0)
        var losses = Losses()
        let values = parameters.values
        try inWaves(batch.count) { worker, index in
            worker.gradient.fill(0)
            return try worker.pass.run(
                batch[index], parameters: values, gradient: worker.gradient, normalisers: normalisers,
                weights: options.weights, softTargets: options.softTargets
            ).losses
        } _: { worker, part in
            losses = losses + part
            RowKernels.add(worker.gradient.view, to: gradient.view)
        }
        let norm = RowKernels.sumOfSquares(gradient.view).squareRoot()
        guard losses.isFinite, norm.isFinite else {
            throw TuningError.diverged(step: step, loss: losses.total(options.weights), lastGood: bestStep)
        }
        let scale = options.clip > 0 && norm > options.clip ? options.clip / norm : 1
        optimizer.update(values, gradient: gradient, step: step, gradientScale: scale, options: options)
        let report = StepReport(
            step: step, losses: losses, gradientNorm: norm, rate: options.rate(step: step),
            rows: normalisers.rows, multiplyAdds: batch.reduce(0) { $0 + cost.multiplyAdds($1) })
        step += 1
        return report
    }

    /// Losses and acceptance on the held-out slice; remembers the parameters when they are the best so far, or when
    /// nothing is held out to tell.
    public func measure() throws -> (losses: Losses, acceptance: Acceptance)? {
        guard !text.heldOut.isEmpty else {
            keep()
            return nil
        }
        let result = try measure(text.heldOut)
        if result.acceptance.tokensPerStep > bestAcceptance ?? 0 {
            bestAcceptance = result.acceptance.tokensPerStep
            keep()
        }
        return result
    }

    private func keep() {
        bestStep = step
        best.view.copy(from: parameters.values.view)
    }

    /// The same on any sequences.
    public func measure(_ sequences: [TrainingSequence]) throws -> (losses: Losses, acceptance: Acceptance) {
        let masks = parameters.layout.maskCount
        let rows = sequences.reduce(0) { $0 + Self.rowCount($1, masks) }
        let positions = sequences.reduce(0) { $0 + $1.anchorCount }
        let run = max(1, memory.positions)
        let values = parameters.values
        let options = self.options
        let work = sequences.flatMap { sequence in
            stride(from: sequence.firstAnchor, to: sequence.tokens.count - 2, by: run).map { (sequence, $0) }
        }
        let normalisers = LossNormalisers(rows: max(1, rows), latent: max(1, positions))
        struct Part: Sendable {
            var losses: Losses
            var accepted: (sampler: [Int], base: [Int])
        }
        var losses = Losses()
        var withSampler = Acceptance.Counter(masks: masks)
        var without = Acceptance.Counter(masks: masks)
        var pending: (sampler: [Int], base: [Int]) = ([], [])
        var done = 0
        try inWaves(work.count) { worker, index in
            let (sequence, first) = work[index]
            let anchors = Array(first..<min(first + run, sequence.tokens.count - 2))
            let mixed = MixedSequence(tokens: sequence.tokens, anchors: anchors, masks: masks)
            let result = try worker.pass.run(
                mixed, parameters: values, gradient: nil, normalisers: normalisers, weights: options.weights)
            let truth = try worker.pass.ordinaryBest()
            func accepted(_ drafts: [Int32]) -> [Int] {
                mixed.blocks.map { block in
                    (0..<block.depth).prefix { drafts[block.firstRow + $0] == truth[block.anchor + 1 + $0] }.count
                }
            }
            return Part(losses: result.losses, accepted: (accepted(result.samplerBest), accepted(result.baseBest)))
        } _: { _, part in
            losses = losses + part.losses
            pending.sampler += part.accepted.sampler
            pending.base += part.accepted.base
            done += 1
            // A sequence is walked when its last run has come.
            if done == work.count || work[done].1 == work[done].0.firstAnchor {
                withSampler.add(pending.sampler)
                without.add(pending.base)
                pending = ([], [])
            }
        }
        return (
            losses,
            Acceptance(sampler: withSampler, base: without)
        )
    }

    private static func rowCount(_ sequence: TrainingSequence, _ masks: Int) -> Int {
        (sequence.firstAnchor..<max(sequence.firstAnchor, sequence.tokens.count - 2)).reduce(0) {
            $0 + min(masks, sequence.tokens.count - $1 - 2)
        }
    }

    /// The graft as it stands, in the Hub's order of rows.
    public func graft() -> Graft { parameters.graft(like: design).inHubOrder(from: model.configuration) }

    /// The graft that did best on the held-out slice, or that of the last `measure` when nothing is held out.
    public func bestGraft() -> Graft {
        parameters.graft(like: design, values: best).inHubOrder(from: model.configuration)
    }

    /// Takes up the state of a checkpoint.
    func restore(step: Int, bestStep: Int, bestAcceptance: Double?) {
        self.step = step
        self.bestStep = bestStep
        self.bestAcceptance = bestAcceptance
    }
}
