/// Which tokens of a text are scored, and after which others.
///
/// The text is cut into windows that do not overlap; a window starts without memory of the one before, its first token
/// replaced by the model's begin-of-text token where the model wants one, and only tokens of its second half are
/// scored, so that each has half a window of context at least. (llama.cpp's perplexity program does the same, so the
/// figures can be compared.) A text shorter than one window is scored from its second token on.
public struct ScoringPlan: Sendable, Equatable {
    public struct Window: Sendable, Equatable {
        /// What is fed.
        public var tokens: [Int]
        /// Index of the first token of the window in the text.
        public var start: Int
        /// Rows whose next token is scored: row r predicts token r + 1 of the window.
        public var scored: Range<Int>
    }

    static let fewestTokens = 4

    public let windows: [Window]
    public let context: Int
    public let tokenCount: Int

    public var scoredCount: Int { windows.reduce(0) { $0 + $1.scored.count } }

    /// - Parameters:
    ///   - tokens: of the whole text, without special tokens.
    ///   - beginning: put before the text and in place of each window's first token; `nil` for none.
    ///   - limit: windows are taken from the beginning of the text until this many tokens are used.
    public init(
        tokens: [Int], context: Int, beginning: Int?, limit: Int? = nil
    ) throws(FidelityError) {
        let text = (beginning.map { [$0] } ?? []) + tokens
        let used = min(text.count, limit.map { max($0, context) } ?? text.count)
        guard text.count >= Self.fewestTokens else {
            throw .textTooShort(tokens: tokens.count, needed: Self.fewestTokens)
        }
        var windows: [Window] = []
        if used < context {
            windows.append(Window(tokens: Array(text[..<used]), start: 0, scored: 0..<used - 1))
        } else {
            for start in stride(from: 0, through: used - context, by: context) {
                var window = Array(text[start..<start + context])
                if let beginning { window[0] = beginning }
                windows.append(Window(tokens: window, start: start, scored: context / 2..<context - 1))
            }
        }
        self.windows = windows
        self.context = min(context, used)
        tokenCount = windows.reduce(0) { $0 + $1.tokens.count }
    }
}
