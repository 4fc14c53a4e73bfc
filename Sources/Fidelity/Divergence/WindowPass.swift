import Runtime

/// Feeds a window to a model in pieces and hands out the logits of its scored rows.
enum WindowPass {
    /// Rows of logits held at once: at most 32 MiB of them.
    static func chunk(vocabulary: Int) -> Int { min(128, max(4, (32 << 20) / (vocabulary * 4))) }

    /// - Parameter body: how many tokens were fed, and the scored rows among them with their logits; `nil` when none
    ///   is scored.
    static func run(
        _ window: ScoringPlan.Window, on sequence: TokenSequence, chunk: Int,
        _ body: (_ count: Int, _ scored: Range<Int>, _ logits: LogitRows?) throws -> Void
    ) throws {
        sequence.truncate(to: 0)
        var start = 0
        while start < window.tokens.count {
            let rows = start..<min(window.tokens.count, start + chunk)
            let scored = rows.clamped(to: window.scored)
            try sequence.append(Array(window.tokens[rows]), chunk: chunk)
            let wanted = scored.map { $0 - rows.lowerBound }
            try body(rows.count, scored, wanted.isEmpty ? nil : try sequence.logits(of: wanted))
            start = rows.upperBound
        }
    }
}
