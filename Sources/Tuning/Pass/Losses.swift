/// How much each part of the loss counts (design of the method, section 5); 0 leaves a part out.
public struct LossWeights: Hashable, Sendable, Codable {
    /// Cross-entropy of what the mask rows' own logits say.
    public var base: Double
    /// Cross-entropy after the sampler head, given the true token before.
    public var sampler: Double
    /// Distance of mask rows from the ordinary row that predicts the same token.
    public var latent: Double

    public init(base: Double = 1, sampler: Double = 1, latent: Double = 1) {
        self.base = base
        self.sampler = sampler
        self.latent = latent
    }
}

/// The three losses, each an average; unweighted.
public struct Losses: Hashable, Sendable, Codable {
    public var base: Double
    public var sampler: Double
    public var latent: Double

    public init(base: Double = 0, sampler: Double = 0, latent: Double = 0) {
        self.base = base
        self.sampler = sampler
        self.latent = latent
    }

    public func total(_ weights: LossWeights) -> Double {
        base * weights.base + sampler * weights.sampler + latent * weights.latent
    }

    static func + (left: Losses, right: Losses) -> Losses {
        Losses(
            base: left.base + right.base, sampler: left.sampler + right.sampler, latent: left.latent + right.latent)
    }

    var isFinite: Bool { base.isFinite && sampler.isFinite && latent.isFinite }
}

/// Averages are over all sequences of a step: what each of them divides its sums by.
struct LossNormalisers {
    /// Mask rows.
    var rows: Int
    /// Positions with at least one mask row that predicts the token after them.
    var latent: Int
}

/// What the rows shall predict: for each, `width` tokens and their probabilities.
struct Targets {
    var width: Int
    var tokens: [Int32]
    var weights: [Float]

    /// The true tokens.
    init(_ labels: [Int32]) {
        width = 1
        tokens = labels
        weights = [Float](repeating: 1, count: labels.count)
    }

    init(width: Int, tokens: [Int32], weights: [Float]) {
        self.width = width
        self.tokens = tokens
        self.weights = weights
    }

    func range(_ row: Int) -> Range<Int> { row * width..<(row + 1) * width }
}
