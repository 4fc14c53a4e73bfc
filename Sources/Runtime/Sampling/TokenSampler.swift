import Foundation

/// Chooses the next token from a row of logits; owns the stream of chance.
public struct TokenSampler: Sendable {
    public let options: SamplingOptions
    public var stream: RandomStream

    public init(_ options: SamplingOptions = .greedy) {
        self.options = options
        stream = RandomStream(seed: options.seed)
    }

    /// - Parameter history: the tokens before the one to choose, for the penalties.
    public mutating func next(logits: borrowing Span<Float>, history: [Int]) -> Int {
        if options.isGreedy, !options.hasPenalties { return Self.largest(logits) }
        let distribution = distribution(logits: logits, history: history)
        return options.isGreedy ? distribution.tokens[0] : distribution.draw(from: &stream)
    }

    /// What `next` draws from; takes nothing from the stream.
    public func distribution(logits: borrowing Span<Float>, history: [Int]) -> TokenDistribution {
        if options.isGreedy, !options.hasPenalties { return TokenDistribution(certain: Self.largest(logits)) }
        var scores = [Float](repeating: 0, count: logits.count)
        for index in scores.indices { scores[index] = logits[index] }
        penalise(&scores, history: history)
        guard !options.isGreedy else { return TokenDistribution(certain: Self.largest(scores.span)) }

        let top = scores.max() ?? 0
        let inverse = 1 / options.temperature
        if options.topK == 0, options.topP >= 1 {
            // min-p needs no order.
            let weights = scores.map { exp(Double($0 - top) * inverse) }
            guard options.minP > 0 else { return TokenDistribution(tokens: Array(weights.indices), weights: weights) }
            let kept = weights.indices.filter { weights[$0] >= options.minP }
            return TokenDistribution(tokens: kept, weights: kept.map { weights[$0] })
        }
        var ranked = Ranking(scores)
        if options.topK > 0 { ranked.limit(options.topK) }
        let weights = scores.map { exp(Double($0 - top) * inverse) }
        var kept: [Int] = []
        if options.topP < 1 {
            let total = options.topK > 0 ? ranked.all().reduce(0) { $0 + weights[$1] } : weights.reduce(0, +)
            var sum = 0.0
            while sum < options.topP * total, let token = ranked.next() {
                kept.append(token)
                sum += weights[token]
            }
        } else {
            kept = ranked.all()
        }
        kept = kept.filter { weights[$0] >= options.minP }.sorted()
        return TokenDistribution(tokens: kept, weights: kept.map { weights[$0] })
    }

    private func penalise(_ scores: inout [Float], history: [Int]) {
        guard options.hasPenalties else { return }
        var counts: [Int: Int] = [:]
        for token in history.suffix(options.penaltyWindow) where scores.indices.contains(token) {
            counts[token, default: 0] += 1
        }
        for (token, count) in counts {
            let score = scores[token]
            let repeated =
                score > 0 ? score / Float(options.repetitionPenalty) : score * Float(options.repetitionPenalty)
            scores[token] =
                repeated - Float(count) * Float(options.frequencyPenalty) - Float(options.presencePenalty)
        }
    }

    private static func largest(_ scores: borrowing Span<Float>) -> Int {
        var best = 0
        for index in scores.indices where scores[index] > scores[best] { best = index }
        return best
    }
}

/// Tokens by falling score, equals by rising id, sorted only as far as they are asked for.
private struct Ranking {
    private let scores: [Float]
    private var tokens: [Int]
    private var sorted = 0
    private var position = 0

    init(_ scores: [Float]) {
        self.scores = scores
        tokens = Array(scores.indices)
    }

    private func precedes(_ a: Int, _ b: Int) -> Bool {
        scores[a] != scores[b] ? scores[a] > scores[b] : a < b
    }

    /// Brings the next `count` best to `tokens[sorted...]` in order.
    private mutating func sort(_ count: Int) {
        let wanted = min(tokens.count, sorted + count)
        guard wanted > sorted else { return }
        // Quickselect around the place where the sorted part will end, then sort that part.
        var low = sorted
        var high = tokens.count - 1
        while low < high {
            let pivot = tokens[(low + high) / 2]
            var left = low
            var right = high
            while left <= right {
                while precedes(tokens[left], pivot) { left += 1 }
                while precedes(pivot, tokens[right]) { right -= 1 }
                if left <= right {
                    tokens.swapAt(left, right)
                    left += 1
                    right -= 1
                }
            }
            if wanted - 1 <= right {
                high = right
            } else if wanted - 1 >= left {
                low = left
            } else {
                break
            }
        }
        let part = tokens[sorted..<wanted].sorted(by: precedes)
        tokens.replaceSubrange(sorted..<wanted, with: part)
        sorted = wanted
    }

    mutating func limit(_ count: Int) {
        sort(count)
        tokens.removeSubrange(sorted...)
    }

    func all() -> [Int] { tokens }

    mutating func next() -> Int? {
        guard position < tokens.count else { return nil }
        if position == sorted { sort(max(256, sorted)) }
        defer { position += 1 }
        return tokens[position]
    }
}
