import Foundation
import Kernels
import ModelGraph

/// A transformer's sequence, with a graft or without, as multi-token decoding sees it.
final class TransformerPort: DecodingModel {
    let sequence: TokenSequence
    /// Candidates that the sampler head scores for each mask; 0: the whole vocabulary.
    let shortlist: Int
    let maskCount: Int
    /// Time of the sampler head and its logits, part of neither layers nor verification.
    private(set) var samplerTime = Duration.zero
    private(set) var draftLogitsTime = Duration.zero
    /// Time of choosing tokens from logits.
    private(set) var choiceTime = Duration.zero
    private let head: SamplerHead?
    private let unembedding: Unembedding
    private var logits: LogitRows?

    init(_ sequence: TokenSequence, graft: LoadedGraft?, shortlist: Int) throws {
        self.sequence = sequence
        self.shortlist = shortlist
        maskCount = graft?.maskCount ?? 0
        head = try graft.map { try SamplerHead($0, model: sequence.model) }
        unembedding = Unembedding(sequence.model)
    }

    var contextLength: Int { sequence.capacity }
    var keptCount: Int { sequence.count }
    var rowLimit: Int { TokenSequence.scratchRows + sequence.capacity - sequence.count }

    func resetTimes() {
        sequence.times = PassDurations()
        (samplerTime, draftLogitsTime, choiceTime) = (.zero, .zero, .zero)
    }

    func reset() { sequence.truncate(to: 0) }
    func append(_ tokens: [Int]) throws { try sequence.append(tokens) }
    func forward(_ rows: [Row]) throws { try sequence.forward(rows) }
    func keep(rows: Range<Int>) { sequence.keep(Array(rows)) }

    func readLogits(rows: Range<Int>) throws { logits = try sequence.logits(of: Array(rows)) }

    func choose(row: Int, with sampler: inout TokenSampler, history: [Int]) -> Int {
        guard let logits else { preconditionFailure("logits were not asked for") }
        let started = ContinuousClock.now
        defer { choiceTime += started.duration(to: .now) }
        if sampler.options.isPlainlyGreedy { return logits.largest(row) }
        return logits.withRow(row) { sampler.next(logits: $0, history: history) }
    }

    func draft(after token: Int, block: Range<Int>) throws -> [Draft] {
        guard let head else { return [] }
        let started = ContinuousClock.now
        let masks = Array(block)
        var candidates: [[UInt32]] = []
        var logitsTime = Duration.zero
        if shortlist > 0 {
            let before = ContinuousClock.now
            // The times of the sequence count what verification needs; drafts have a line of their own.
            let z = try unembedding.input(rows: masks.count)
            sequence.hidden(of: masks, into: z)
            let rows = try unembedding.logits(rows: masks.count)
            candidates = (0..<masks.count).map { row in rows.withRow(row) { Shortlist.best(shortlist, of: $0) } }
            logitsTime += before.duration(to: .now)
        }
        sequence.hidden(of: masks, into: try head.input(rows: masks.count))
        try head.begin(rows: masks.count)
        var drafts: [Draft] = []
        var previous = token
        for index in masks.indices {
            try head.draft(row: index, after: previous, into: try unembedding.input(rows: 1), at: 0)
            let before = ContinuousClock.now
            let chosen = shortlist > 0 ? candidates[index] : nil
            let scores = try unembedding.logits(rows: 1, tokens: chosen)
            let best = scores.largest(0)
            let confidence = scores.withRow(0) { Self.probability(ofLargest: best, in: $0) }
            logitsTime += before.duration(to: .now)
            previous = chosen.map { Int($0[best]) } ?? best
            drafts.append(Draft(token: previous, confidence: confidence, source: .mask(depth: index + 1)))
        }
        draftLogitsTime += logitsTime
        samplerTime += started.duration(to: .now) - logitsTime
        return drafts
    }

    /// Softmax of the largest logit, over the logits at hand.
    private static func probability(ofLargest best: Int, in logits: Span<Float>) -> Float {
        let top = logits[best]
        guard top.isFinite else { return 0 }
        var sum: Float = 0
        for index in logits.indices {
            let below = logits[index] - top
            if below > -12 { sum += exp(below) }
        }
        return 1 / sum
    }
}
