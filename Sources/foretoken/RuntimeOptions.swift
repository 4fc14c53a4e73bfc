import ArgumentParser
import Kernels
import ModelGraph
import Runtime
import TensorFiles

enum CacheChoice: String, ExpressibleByArgument, CaseIterable {
    case f32
    case f16
    case q8 = "q8_0"

    var precision: KeyValueStore.Precision {
        switch self {
        case .f32: .f32
        case .f16: .f16
        case .q8: .q8
        }
    }
}

enum ActivationChoice: String, ExpressibleByArgument, CaseIterable {
    case q8
    case f32

    var precision: ActivationPrecision { self == .f32 ? .float32 : .int8 }
}

/// How a model is run.
struct RuntimeOptions: ParsableArguments {
    @Option(
        name: .customLong("cache"),
        help: "How the cache holds keys and values: f32, f16 or q8_0 (default: f16; f32 with --activations f32).")
    var chosenCache: CacheChoice?

    /// The reference mode rounds nothing that it was not told to round.
    var cache: CacheChoice { chosenCache ?? (activations == .f32 ? .f32 : .f16) }

    @Option(help: "q8: 8-bit activations for quantized weights; f32: floats, the slow reference.")
    var activations: ActivationChoice = .q8

    @Option(help: "Positions that a sequence may hold (default: what the prompt and -n need).")
    var context: Int?

    /// Loads the model, with a progress line.
    func load(_ path: String, common: CommonOptions) throws -> LanguageModel {
        let pool = try WorkerPool(threads: common.threadCount)
        return try LanguageModel(
            path: path, precision: activations.precision, pool: pool,
            progress: ProgressLine(quiet: common.quiet).handler)
    }

    /// Positions for `needed`, or those that were asked for.
    func capacity(needed: Int, of model: LanguageModel) throws -> Int {
        let limit = model.configuration.contextLength
        guard let context else { return max(1, min(needed, limit)) }
        guard context >= 1, context <= limit else {
            throw RuntimeError.contextTooLong(needed: context, limit: limit)
        }
        return context
    }

    /// Says what the cache will take before it is taken.
    func announce(_ model: LanguageModel, capacity: Int, common: CommonOptions) {
        guard !common.quiet else { return }
        let bytes =
            TokenSequence.cacheBytes(model.configuration, capacity: capacity, precision: cache.precision) ?? .max
        Console.standardError(
            "weights \(ByteSize.text(model.transformer.byteCount)), "
                + "cache \(ByteSize.text(bytes)) for \(capacity) positions in \(cache.rawValue)\n")
    }
}

/// How the next token is chosen.
struct SamplingArguments: ParsableArguments {
    @Option(help: "0: the most likely token; above: draws, flatter the higher.")
    var temperature: Double = 0

    @Option(help: "Draw from the K most likely tokens only (0: all).")
    var topK: Int = 0

    @Option(help: "Draw from the fewest tokens whose probabilities sum to P.")
    var topP: Double = 1

    @Option(help: "Draw from tokens at least P times as likely as the likeliest.")
    var minP: Double = 0

    @Option(help: "Divides the positive logits of repeated tokens and multiplies the negative ones (1: none).")
    var repeatPenalty: Double = 1

    @Option(help: "Subtracted from a token's logit for each time it occurred.")
    var frequencyPenalty: Double = 0

    @Option(help: "Subtracted from the logit of a token that occurred.")
    var presencePenalty: Double = 0

    @Option(help: "How many of the last tokens penalties look at.")
    var penaltyWindow: Int = 64

    @Option(help: "Seed of the stream of chance.")
    var seed: UInt64 = 0

    var options: SamplingOptions {
        SamplingOptions(
            temperature: temperature, topK: topK, topP: topP, minP: minP, repetitionPenalty: repeatPenalty,
            frequencyPenalty: frequencyPenalty, presencePenalty: presencePenalty, penaltyWindow: penaltyWindow,
            seed: seed)
    }

    func validate() throws {
        if let problem = options.problem { throw ValidationError(problem) }
    }
}
