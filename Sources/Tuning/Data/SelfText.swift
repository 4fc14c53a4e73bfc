import ModelGraph
public import Runtime
public import TensorFiles

/// Text that the base model writes itself: no data set is needed, and it is what drafts must predict.
public struct SelfText {
    /// Tokens to write after each prompt, at most.
    public var limit: Int
    /// 0: greedy.
    public var temperature: Double
    public var seed: UInt64

    public init(limit: Int, temperature: Double = 0, seed: UInt64 = 0) {
        self.limit = limit
        self.temperature = temperature
        self.seed = seed
    }

    /// Continues each prompt through the runtime, with the weights and the arithmetic that will run.
    public func write(
        _ prompts: [[Int]], with model: Runtime.LanguageModel, progress: ProgressHandler? = nil
    ) throws -> [TrainingSequence] {
        let context = model.configuration.contextLength
        let longest = prompts.map(\.count).max() ?? 0
        let capacity = min(context, longest + limit)
        let sequence = try model.sequence(positions: capacity)
        var written: [TrainingSequence] = []
        for (index, prompt) in prompts.enumerated() {
            guard !prompt.isEmpty, prompt.count < capacity else { continue }
            let decoder = PlainDecoder(
                sequence, sampling: SamplingOptions(temperature: temperature, seed: seed &+ UInt64(index)))
            let generator = Generator(limit: limit, endTokens: model.endTokens)
            let result = try generator.run(decoder, prompt: prompt, capacity: capacity)
            written.append(
                TrainingSequence(
                    tokens: (prompt + result.tokens).map(Int32.init(clamping:)), firstAnchor: prompt.count - 1))
            progress?(
                Progress(stage: "writing", completed: index + 1, total: prompts.count, unit: .steps))
        }
        return written
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
