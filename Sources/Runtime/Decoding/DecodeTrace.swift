/// One step of multi-token decoding, as `--trace` prints it: a line of JSON.
public struct DecodeTrace: Hashable, Sendable, Codable {
    /// Steps since the prompt, from 1.
    public var step: Int
    /// Position of the verified token that the step fed.
    public var position: Int
    /// Where the drafts came from: `masks`, `lookup`, `masks+lookup` or `none`.
    public var source: String
    /// Drafts at hand, how many were fed, how many were right.
    public var drafts: Int
    public var speculated: Int
    public var accepted: Int
    /// Masks after each ordinary row.
    public var masks: [Int]
    public var rows: Int
    /// What came out.
    public var tokens: [Int]
    /// Expected tokens by the planner's estimates, and seconds by its costs; absent where nothing was planned.
    public var expectedTokens: Double?
    public var expectedSeconds: Double?
    public var seconds: Double
}
