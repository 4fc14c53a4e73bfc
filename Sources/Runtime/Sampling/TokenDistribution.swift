/// The distribution that a sampler draws from: the tokens that may come and their probabilities, by rising id.
public struct TokenDistribution: Sendable {
    public private(set) var tokens: [Int]
    /// Sum to 1.
    public private(set) var probabilities: [Double]

    /// - Parameter weights: not negative, not all zero; they are normalised.
    init(tokens: [Int], weights: [Double]) {
        self.tokens = tokens
        let sum = weights.reduce(0, +)
        probabilities = weights.map { $0 / sum }
    }

    /// All mass on one token.
    init(certain token: Int) {
        tokens = [token]
        probabilities = [1]
    }

    public func probability(of token: Int) -> Double {
        var low = 0
        var high = tokens.count
        while low < high {
            let middle = (low + high) / 2
            if tokens[middle] < token { low = middle + 1 } else { high = middle }
        }
        return low < tokens.count && tokens[low] == token ? probabilities[low] : 0
    }

    /// What is left when `token` may not come, renormalised; `nil` when nothing is.
    public func without(_ token: Int) -> TokenDistribution? {
        guard probability(of: token) > 0 else { return self }
        let rest = zip(tokens, probabilities).filter { $0.0 != token }
        guard rest.contains(where: { $0.1 > 0 }) else { return nil }
        return TokenDistribution(tokens: rest.map { $0.0 }, weights: rest.map { $0.1 })
    }

    /// Inverse of the cumulative distribution at one number of the stream.
    public func draw(from stream: inout RandomStream) -> Int {
        let target = stream.unit()
        var sum = 0.0
        for (token, probability) in zip(tokens, probabilities) {
            sum += probability
            if target < sum { return token }
        }
        // Rounding left the sum below the target: the last token that can come.
        let last = probabilities.lastIndex { $0 > 0 } ?? probabilities.count - 1
        return tokens[last]
    }
}
