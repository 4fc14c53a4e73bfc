import Dispatch
public import ModelGraph
public import Runtime
import Synchronization
public import TensorFiles

/// Text that the base model writes itself: no data set is needed, and it is what drafts must predict.
public struct SelfText: Sendable {
    /// Tokens to write after each prompt, at most.
    public var limit: Int
    /// 0: greedy.
    public var temperature: Double
    public var seed: UInt64
    /// Tokens that end a text.
    public var endTokens: Set<Int>
    /// After this no prompt is begun any more; those not begun are left out.
    public var deadline: ContinuousClock.Instant?

    public init(limit: Int, temperature: Double = 0, seed: UInt64 = 0, endTokens: Set<Int> = []) {
        self.limit = limit
        self.temperature = temperature
        self.seed = seed
        self.endTokens = endTokens
    }

    private var isLate: Bool { deadline.map { ContinuousClock.now >= $0 } ?? false }

    private func sampling(_ index: Int) -> SamplingOptions {
        SamplingOptions(temperature: temperature, seed: seed &+ UInt64(index))
    }

    private static func sequence(_ prompt: [Int], _ answer: [Int]) -> TrainingSequence {
        TrainingSequence(tokens: (prompt + answer).map(Int32.init(clamping:)), firstAnchor: prompt.count - 1)
    }

    /// Continues each prompt through the runtime, one after the other: for models too large to hold as floats.
    public func write(
        _ prompts: [[Int]], with model: LanguageModel, progress: ProgressHandler? = nil
    ) throws -> [TrainingSequence] {
        let longest = prompts.map(\.count).max() ?? 0
        let capacity = min(model.configuration.contextLength, longest + limit)
        let sequence = try model.sequence(positions: capacity)
        var written: [TrainingSequence] = []
        for (index, prompt) in prompts.enumerated() {
            guard !prompt.isEmpty, prompt.count < capacity else { continue }
            guard written.isEmpty || !isLate else { break }
            let decoder = PlainDecoder(sequence, sampling: sampling(index))
            let result = try Generator(limit: limit, endTokens: endTokens).run(
                decoder, prompt: prompt, capacity: capacity)
            written.append(Self.sequence(prompt, result.tokens))
            progress?(Progress(stage: "writing", completed: index + 1, total: prompts.count, unit: .steps))
        }
        return written
    }

    /// Prompts continued together in one pass.
    private static let batch = 64

    /// Continues prompts in batches with the weights decoded to float32, many times faster for small models.
    ///
    /// - Parameter graph: in canonical form.
    public func write(
        _ prompts: [[Int]], batchedWith graph: ModelGraph, threads: Int, progress: ProgressHandler? = nil
    ) throws -> [TrainingSequence] {
        Product.useOneThread()
        let model = try FrozenModel(graph)
        let longest = prompts.map(\.count).max() ?? 0
        let capacity = min(graph.configuration.contextLength, longest + limit)
        // Neighbours in length share a batch, so that little of it waits; the order of the result is the given one.
        let order = prompts.indices.filter { !prompts[$0].isEmpty && prompts[$0].count < capacity }
            .sorted { (prompts[$0].count, $0) < (prompts[$1].count, $1) }
        let batches = stride(from: 0, to: order.count, by: Self.batch).map {
            Array(order[$0..<min(order.count, $0 + Self.batch)])
        }
        let state = Mutex((next: 0, done: 0, written: [Int: [Int32]](), failure: (any Error)?.none))
        DispatchQueue.concurrentPerform(iterations: max(1, threads)) { _ in
            let writer = BatchWriter(model: model, batch: Self.batch, capacity: capacity)
            while let batch = state.withLock({ state -> [Int]? in
                guard state.failure == nil, state.next < batches.count, state.next == 0 || !isLate else { return nil }
                state.next += 1
                return batches[state.next - 1]
            }) {
                let result = Result { try write(batch.map { prompts[$0] }, at: batch, writer) }
                let done = state.withLock { state in
                    switch result {
                    case .success(let answers):
                        for (index, answer) in zip(batch, answers) { state.written[index] = answer }
                    case .failure(let error): state.failure = state.failure ?? error
                    }
                    state.done += batch.count
                    return state.done
                }
                progress?(Progress(stage: "writing", completed: done, total: order.count, unit: .steps))
            }
        }
        let (written, failure) = state.withLock { ($0.written, $0.failure) }
        if let failure { throw failure }
        return order.sorted().compactMap { index in
            written[index].map { Self.sequence(prompts[index], $0.map(Int.init)) }
        }
    }

    private func write(_ prompts: [[Int]], at indices: [Int], _ writer: BatchWriter) throws -> [[Int32]] {
        let starts = prompts.map { $0.map(Int32.init(clamping:)) }
        guard temperature > 0 else { return try writer.write(starts, limit: limit, endTokens: endTokens) }
        var samplers = indices.map { TokenSampler(sampling($0)) }
        return try writer.write(starts, limit: limit, endTokens: endTokens) { place, logits in
            Int32(samplers[place].next(logits: logits.span, history: []))
        }
    }

    /// Prompts of `length` tokens cut at random places from documents, each document as likely as it is long. A
    /// third of them begin with `start`, if there is one, as prompts typed by people do.
    public static func prompts(
        from documents: [TrainingSequence], count: Int, length: Int, start: Int?, seed: UInt64
    ) throws -> [[Int]] {
        let usable = documents.filter { $0.tokens.count >= length }
        let total = usable.reduce(0) { $0 + $1.tokens.count - length + 1 }
        guard total > 0 else {
            throw TuningError.textTooShort(
                longest: documents.map(\.tokens.count).max() ?? 0, sequences: documents.count)
        }
        var stream = RandomStream(seed: seed ^ 0x5052_4F4D_5054)
        return (0..<count).map { _ in
            var place = Int(stream.next() % UInt64(total))
            let document = usable.first {
                let places = $0.tokens.count - length + 1
                if place < places { return true }
                place -= places
                return false
            }
            let cut = (document ?? usable[0]).tokens[place..<place + length].map(Int.init)
            guard let start, stream.next() % 3 == 0 else { return cut }
            return [start] + cut.dropLast()
        }
    }
}
