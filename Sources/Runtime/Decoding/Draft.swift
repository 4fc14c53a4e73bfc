/// A token proposed for a position that the model has not spoken about yet.
package struct Draft: Hashable, Sendable {
    /// Where a proposal came from; acceptance is tracked apart.
    package enum Source: Hashable, Sendable {
        /// Mask `depth` of a block (1 … k).
        case mask(depth: Int)
        /// Tokens after a run of `length` that had occurred before; `depth` counts from 1.
        case lookup(length: Int, depth: Int)
    }

    package var token: Int
    /// The proposer's own probability for the token; 1 where it has no opinion.
    package var confidence: Float
    package var source: Source

    package init(token: Int, confidence: Float, source: Source) {
        self.token = token
        self.confidence = confidence
        self.source = source
    }
}
