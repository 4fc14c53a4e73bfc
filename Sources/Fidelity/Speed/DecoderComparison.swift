public import Runtime
public import TensorFiles

/// One way of decoding to be compared, and how to make it.
public struct DecoderChoice {
    public var name: String
    /// Masks per block; 0 where there are none.
    public var masks: Int
    public var make: () throws -> any TokenDecoder

    public init(name: String, masks: Int, make: @escaping () throws -> any TokenDecoder) {
        self.name = name
        self.masks = masks
        self.make = make
    }
}

/// A prompt in tokens, with the category that it is counted under.
public struct EncodedPrompt: Sendable, Equatable {
    public var tokens: [Int]
    public var category: String?

    public init(tokens: [Int], category: String? = nil) {
        self.tokens = tokens
        self.category = category
    }
}

/// Times decoders against plain decoding in one process, prompt by prompt in alternation, so that a machine whose
/// speed drifts slows all of them alike; and checks that every one writes what plain decoding writes.
///
/// Every decoder runs every prompt once. Further rounds are for the spread of the timing alone: only plain decoding and
/// the fastest decoder of each name take part in them.
public struct DecoderComparison {
    public struct Outcome {
        public var decoders: [DecoderResult]
        public var equality: Equality
    }

    private let plain: DecoderChoice
    private let others: [DecoderChoice]
    /// Tokens to generate for each prompt.
    private let limit: Int
    private let ends: Set<Int>
    private let repeats: Int

    /// - Parameter ends: tokens that end a text.
    public init(plain: DecoderChoice, others: [DecoderChoice], limit: Int, ends: Set<Int>, repeats: Int) {
        self.plain = plain
        self.others = others
        self.limit = limit
        self.ends = ends
        self.repeats = max(1, repeats)
    }

    /// What one decoder did with one prompt in one repeat.
    private struct Run {
        var category: String?
        var round: Int
        var tokens: Int
        var steps: Int
        var seconds: Double
        var parts: [String: Double]
    }

    public func run(_ prompts: [EncodedPrompt], progress: ProgressHandler? = nil) throws -> Outcome {
        let choices = [plain] + others
        let decoders = try choices.map { try $0.make() }
        var runs = [[Run]](repeating: [], count: choices.count)
        var forks: [Equality.Fork] = []
        var compared = 0
        var expected: [[Int]] = []
        var taking = Array(choices.indices)
        for round in 0..<repeats {
            if round == 1 { taking = contenders(choices, runs) }
            let total = prompts.count * taking.count
            for (number, prompt) in prompts.enumerated() {
                for (turn, index) in taking.enumerated() {
                    let (tokens, run) = try generate(decoders[index], prompt, round: round)
                    runs[index].append(run)
                    if index == 0, round == 0 {
                        expected.append(tokens)
                    } else if let place = Self.fork(expected[number], tokens) {
                        forks.append(
                            .init(
                                decoder: choices[index].name, masks: choices[index].masks, prompt: number,
                                token: place))
                    }
                    if index > 0 { compared += tokens.count }
                    progress?(
                        Progress(
                            stage: round == 0 ? "decoding" : "decoding again",
                            completed: number * taking.count + turn + 1, total: total, unit: .steps))
                }
            }
        }
        let categories = Set(prompts.compactMap(\.category)).sorted()
        let groups: [String?] = [nil] + (categories.count > 1 ? categories : [])
        let results = groups.flatMap { group in
            choices.indices.map { result(choices[$0], runs[$0], plain: runs[0], category: group) }
        }
        return Outcome(
            decoders: results, equality: Equality(prompts: prompts.count, tokens: compared, forks: forks))
    }

    /// Plain decoding and the fastest of each name so far.
    private func contenders(_ choices: [DecoderChoice], _ runs: [[Run]]) -> [Int] {
        var best: [String: (index: Int, seconds: Double)] = [:]
        for (index, choice) in choices.enumerated() {
            let seconds = runs[index].reduce(0) { $0 + $1.seconds }
            if seconds < best[choice.name]?.seconds ?? .infinity { best[choice.name] = (index, seconds) }
        }
        return best.values.map(\.index).sorted()
    }

    private func generate(_ decoder: any TokenDecoder, _ prompt: EncodedPrompt, round: Int) throws -> ([Int], Run) {
        try decoder.start(prompt: prompt.tokens)
        var tokens: [Int] = []
        while tokens.count < limit {
            tokens += try decoder.step(limit: limit - tokens.count)
            if let end = tokens.firstIndex(where: ends.contains) {
                tokens.removeSubrange((end + 1)...)
                break
            }
        }
        let statistics = decoder.statistics
        let run = Run(
            category: prompt.category, round: round, tokens: tokens.count, steps: statistics.steps,
            seconds: statistics.seconds,
            parts: [
                "layers": statistics.layersSeconds, "attention": statistics.attentionSeconds,
                "unembedding": statistics.unembeddingSeconds, "sampler": statistics.samplerSeconds,
                "planner": statistics.plannerSeconds,
            ])
        return (tokens, run)
    }

    private static func fork(_ expected: [Int], _ found: [Int]) -> Int? {
        if let place = zip(expected, found).enumerated().first(where: { $0.element.0 != $0.element.1 })?.offset {
            return place
        }
        return expected.count == found.count ? nil : min(expected.count, found.count)
    }

    private func result(
        _ choice: DecoderChoice, _ runs: [Run], plain: [Run], category: String?
    ) -> DecoderResult {
        func of(_ list: [Run], _ round: Int? = nil) -> [Run] {
            list.filter { (category == nil || $0.category == category) && (round == nil || $0.round == round) }
        }
        func seconds(_ list: [Run]) -> Double { list.reduce(0) { $0 + $1.seconds } }
        let mine = of(runs)
        let tokens = mine.reduce(0) { $0 + $1.tokens }
        let steps = mine.reduce(0) { $0 + $1.steps }
        let speedups = Set(mine.map(\.round)).map { round in
            seconds(of(plain, round)) / max(seconds(of(runs, round)), 1e-12)
        }.sorted()
        var parts: [String: Double] = [:]
        for run in mine { parts.merge(run.parts, uniquingKeysWith: +) }
        return DecoderResult(
            name: choice.name, masks: choice.masks, category: category,
            acceptance: Double(tokens) / Double(max(1, steps)),
            tokensPerSecond: Double(tokens) / max(seconds(mine), 1e-12),
            speedup: DivergenceSummary.quantile(speedups.map { Float($0) }, 0.5), speedupLow: speedups.first ?? 0,
            speedupHigh: speedups.last ?? 0, secondsByPart: parts)
    }
}
