/// How the next token is chosen from logits.
///
/// The chain, in this order: penalties on the logits; division by the temperature; the `topK` most likely; the
/// fewest of these whose probabilities sum to `topP`; those at least `minP` times as likely as the likeliest;
/// renormalisation; one draw. Temperature 0 takes the largest logit after penalties (the lowest id of equals).
public struct SamplingOptions: Hashable, Sendable {
    public var temperature: Double
    /// 0: all.
    public var topK: Int
    public var topP: Double
    public var minP: Double
    /// Divides positive logits of tokens in the window, multiplies negative ones (Keskar et al., arXiv 1909.05858).
    public var repetitionPenalty: Double
    /// Subtracted once for each occurrence in the window.
    public var frequencyPenalty: Double
    /// Subtracted from each token in the window.
    public var presencePenalty: Double
    /// How many of the last tokens, the prompt's included, penalties look at.
    public var penaltyWindow: Int
    public var seed: UInt64

    public static let greedy = SamplingOptions()

    public init(
        temperature: Double = 0, topK: Int = 0, topP: Double = 1, minP: Double = 0, repetitionPenalty: Double = 1,
        frequencyPenalty: Double = 0, presencePenalty: Double = 0, penaltyWindow: Int = 64, seed: UInt64 = 0
    ) {
        self.temperature = temperature
        self.topK = topK
        self.topP = topP
        self.minP = minP
        self.repetitionPenalty = repetitionPenalty
        self.frequencyPenalty = frequencyPenalty
        self.presencePenalty = presencePenalty
        self.penaltyWindow = penaltyWindow
        self.seed = seed
    }

    public var isGreedy: Bool { temperature <= 0 }

    /// The largest logit and nothing else.
    public var isPlainlyGreedy: Bool { isGreedy && !hasPenalties }

    var hasPenalties: Bool {
        repetitionPenalty != 1 || frequencyPenalty != 0 || presencePenalty != 0
    }

    /// What is wrong with the values, or `nil`.
    public var problem: String? {
        if !temperature.isFinite || temperature < 0 { return "temperature must be 0 or more, not \(temperature)" }
        if topK < 0 { return "top-k must be 0 (off) or more, not \(topK)" }
        if !(topP > 0 && topP <= 1) { return "top-p must be above 0 and at most 1, not \(topP)" }
        if !(minP >= 0 && minP <= 1) { return "min-p must be from 0 to 1, not \(minP)" }
        if !(repetitionPenalty > 0 && repetitionPenalty.isFinite) {
            return "the repetition penalty must be above 0, not \(repetitionPenalty)"
        }
        if !frequencyPenalty.isFinite || !presencePenalty.isFinite { return "penalties must be finite" }
        if penaltyWindow < 0 { return "the penalty window must be 0 or more, not \(penaltyWindow)" }
        return nil
    }
}
