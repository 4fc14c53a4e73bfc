/// What multi-token decoding asks of a model: pass rows over the kept sequence, read logits of some of them, keep
/// those that turn out to be the text, draft from masks. The transformer is one; tests have small ones of their own.
package protocol DecodingModel: AnyObject {
    /// Positions that the sequence may have at most.
    var contextLength: Int { get }
    /// Rows kept so far.
    var keptCount: Int { get }
    /// Masks that a block may have; 0 without a graft.
    var maskCount: Int { get }

    /// Forgets the sequence.
    func reset()

    /// Keeps `tokens` at the end of the sequence without asking for logits.
    func append(_ tokens: [Int]) throws

    /// Passes the rows over the kept sequence; they stay at hand until the next pass.
    func forward(_ rows: [Row]) throws

    /// Calls `body` with the logits of some rows of the last pass, row after row, each as long as the vocabulary.
    /// All rows cost little more than one, so they are asked for together.
    func withLogits<Result>(rows: Range<Int>, _ body: (borrowing Span<Float>) throws -> Result) throws -> Result

    /// Keeps these ordinary rows of the last pass, a path from the kept sequence; all others are gone.
    func keep(rows: Range<Int>) throws

    /// Drafts the tokens after `token` from a block of mask rows of the last pass, in order; called before `keep`.
    func draft(after token: Int, block: Range<Int>) throws -> [Draft]
}

/// What a pass of a model with a clock has cost since it was last asked, in seconds.
package struct PassTimes {
    var layers = 0.0
    var attention = 0.0
    var unembedding = 0.0
    var sampler = 0.0
}
