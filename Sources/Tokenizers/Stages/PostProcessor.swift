/// What `encode` puts before and after a text's tokens when special tokens are asked for.
struct PostProcessor: Sendable {
    var before: [Int] = []
    var after: [Int] = []
    /// The source says itself what to add; otherwise the add_bos and add_eos flags decide.
    var isExplicit = false
}
