public import Kernels
import ModelGraph
public import TensorFiles

/// How fast a model runs here, and how near that is to what the machine can do.
public struct Benchmark: Sendable, Codable {
    public struct Machine: Sendable, Codable {
        public var threads: Int
        public var instructionSet: String
        public var readBytesPerSecond: Double
        public var multiplyAddsPerSecond: Double
    }

    public struct Rate: Sendable, Codable {
        public var tokens: Int
        public var seconds: Double
        public var tokensPerSecond: Double
        /// Weights read by the passes that this took.
        public var bytesPerSecond: Double
        public var multiplyAddsPerSecond: Double
    }

    /// One pass of a number of rows with the logits of all of them, after a short context.
    public struct Forward: Sendable, Codable {
        public var rows: Int
        /// Median of the repeats.
        public var seconds: Double
        public var fastestSeconds: Double
        /// Over the time of one row.
        public var ratio: Double
        public var multiplyAddsPerSecond: Double
    }

    public var model: String
    public var weightBytes: Int
    /// Weights that a pass multiplies: all but an embedding table that is not the unembedding.
    public var multipliedWeights: Int
    public var machine: Machine
    public var prompt: Rate
    public var decode: Rate
    public var forward: [Forward]
    public var peakMemoryBytes: Int

    public struct Options: Sendable {
        public var rows = [1, 2, 4, 8, 9, 16, 25, 32, 81]
        public var decodedTokens = 64
        public var promptTokens = 512
        public var precision = KeyValueStore.Precision.f16
        /// Repeats of a pass go on for this long, and are at least three.
        public var secondsPerSize = 1.0

        public init() {}
    }

    /// - Parameter model: its name in the report.
    public static func run(
        _ transformer: Transformer, model: String, options: Options = Options(), progress: ProgressHandler? = nil
    ) throws -> Benchmark {
        let c = transformer.configuration
        let widest = options.rows.max() ?? 1
        let promptTokens = min(options.promptTokens, c.contextLength)
        let decoded = min(options.decodedTokens, c.contextLength - 1)
        let context = min(16, max(0, c.contextLength - widest))
        guard widest <= c.contextLength, decoded > 0 else {
            throw RuntimeError.contextTooLong(needed: max(widest, 2), limit: c.contextLength)
        }
        let capacity = max(promptTokens, decoded + 1, context + widest)
        let sequence = try TokenSequence(transformer, capacity: capacity, precision: options.precision)
        let stages = 3 + options.rows.count
        func report(_ done: Int) {
            progress?(Progress(stage: "measuring", completed: done, total: stages, unit: .steps))
        }

        let limits = try MachineLimits.measure(transformer.pool)
        report(1)
        let weights = transformer.multipliedWeights
        let bytes = Double(transformer.multipliedBytes)
        func rate(_ tokens: Int, passes: Int, _ seconds: Double) -> Rate {
            Rate(
                tokens: tokens, seconds: seconds, tokensPerSecond: Double(tokens) / seconds,
                bytesPerSecond: Double(passes) * bytes / seconds,
                multiplyAddsPerSecond: Double(tokens) * Double(weights) / seconds)
        }

        let decoder = PlainDecoder(sequence)
        try decoder.start(prompt: [1 % c.vocabularySize])
        _ = try decoder.step(limit: 1)
        let decodeSeconds = try seconds {
            for _ in 1..<decoded { _ = try decoder.step(limit: 1) }
        }
        report(2)

        // A pass before the clock starts makes the buffers that passes of this size need.
        let prompt = tokens(promptTokens, c)
        sequence.truncate(to: 0)
        try sequence.append(prompt)
        sequence.truncate(to: 0)
        let promptSeconds = try seconds {
            try sequence.append(prompt)
            _ = try sequence.logits(of: [sequence.lastRow!])
        }
        report(3)

        sequence.truncate(to: context)
        var forward: [Forward] = []
        for (index, rows) in options.rows.enumerated() {
            let times = try repeats(sequence, rows: rows, seconds: options.secondsPerSize)
            forward.append(
                Forward(
                    rows: rows, seconds: times[times.count / 2], fastestSeconds: times[0], ratio: 1,
                    multiplyAddsPerSecond: Double(rows) * Double(weights) / times[times.count / 2]))
            report(4 + index)
        }
        let one = forward.first { $0.rows == 1 }?.seconds ?? forward.first?.seconds ?? 1
        for index in forward.indices { forward[index].ratio = forward[index].seconds / one }

        return Benchmark(
            model: model, weightBytes: transformer.byteCount, multipliedWeights: weights,
            machine: Machine(
                threads: transformer.pool.threads, instructionSet: transformer.pool.instructionSet.rawValue,
                readBytesPerSecond: limits.readBytesPerSecond, multiplyAddsPerSecond: limits.multiplyAddsPerSecond),
            prompt: rate(promptTokens, passes: (promptTokens + 255) / 256, promptSeconds),
            decode: rate(decoded - 1, passes: decoded - 1, decodeSeconds), forward: forward,
            peakMemoryBytes: MachineMemory.peak)
    }

    /// Seconds of passes of `rows` rows with all logits, sorted.
    static func repeats(_ sequence: TokenSequence, rows: Int, seconds limit: Double) throws -> [Double] {
        let pass = Row.chain(tokens(rows, sequence.model.configuration))
        let all = Array(pass.indices)
        func once() throws -> Double {
            try seconds {
                try sequence.forward(pass)
                _ = try sequence.logits(of: all)
            }
        }
        _ = try once()
        var times: [Double] = []
        while times.count < 3 || (times.reduce(0, +) < limit && times.count < 1000) { times.append(try once()) }
        return times.sorted()
    }

    private static func tokens(_ count: Int, _ c: ModelConfiguration) -> [Int] {
        (0..<count).map { ($0 * 7919 + 1) % c.vocabularySize }
    }

    private static func seconds(_ body: () throws -> Void) rethrows -> Double {
        try ContinuousClock().measure(body).seconds
    }
}

extension Transformer {
    private var matrices: [WeightMatrix] {
        blocks.flatMap { block in
            [block.query, block.key, block.value, block.attentionOutput, block.gate, block.up, block.down].map(
                \.matrix)
        } + [output]
    }

    /// Weights that each row of a pass is multiplied with, the unembedding's included, and the memory they lie in.
    public var multipliedWeights: Int { matrices.reduce(0) { $0 + $1.rows * $1.columns } }
    public var multipliedBytes: Int { matrices.reduce(0) { $0 + $1.byteCount } }
}
