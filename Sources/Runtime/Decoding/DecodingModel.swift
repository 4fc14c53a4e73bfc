/// What multi-token decoding asks of a model: pass rows over the kept sequence, choose tokens from the logits of some
/// of them, keep those that turn out to be the text, draft from masks. A transformer is one; tests have small ones of
/// their own.
package protocol DecodingModel: AnyObject {
    /// Positions that the sequence may have at most.
    var contextLength: Int { get }
    /// Rows kept so far.
    var keptCount: Int { get }
    /// Masks that a block may have; 0 without a graft.
    var maskCount: Int { get }
    /// Rows that the next pass may have at most.
    var rowLimit: Int { get }

    /// Forgets the sequence.
    func reset()

    /// Keeps `tokens` at the end of the sequence without asking for logits.
    func append(_ tokens: [Int]) throws

    /// Passes the rows over the kept sequence; they stay at hand until the next pass.
    func forward(_ rows: [Row]) throws

    /// Computes the logits of some rows of the last pass, all in one product.
    func readLogits(rows: Range<Int>) throws

    /// Takes the next token from the logits of a row, counted from the first that was read.
    func choose(row: Int, with sampler: inout TokenSampler, history: [Int]) throws -> Int

    /// Drafts the tokens after `token` from a block of mask rows of the last pass, in order; called before `keep`.
    func draft(after token: Int, block: Range<Int>) throws -> [Draft]

    /// Keeps these ordinary rows of the last pass, a path from the kept sequence; all others are gone.
    func keep(rows: Range<Int>) throws
}
