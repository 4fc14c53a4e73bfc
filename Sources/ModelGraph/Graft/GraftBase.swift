/// Which model a graft was made for: the digest of the checkpoint that the model was made from, and the shape, so
/// that a refusal can say what differs.
public struct GraftBase: Hashable, Sendable, Codable {
    /// XXH3 of the source checkpoint's tensors as `foretoken.source.digest` has it, in lowercase hexadecimal;
    /// empty when the model's file does not carry one.
    public var digest: String
    public var family: String
    public var hiddenSize: Int
    public var vocabularySize: Int
    public var blockCount: Int
    public var headCount: Int
    public var keyValueHeadCount: Int
    public var headSize: Int
    public var feedForwardSize: Int

    public init(digest: String, configuration: ModelConfiguration) {
        self.digest = digest
        family = configuration.family
        hiddenSize = configuration.hiddenSize
        vocabularySize = configuration.vocabularySize
        blockCount = configuration.layers.count
        headCount = configuration.headCount
        keyValueHeadCount = configuration.keyValueHeadCount
        headSize = configuration.headSize
        feedForwardSize = configuration.feedForwardSize
    }

    package init(
        digest: String, family: String, hiddenSize: Int, vocabularySize: Int, blockCount: Int, headCount: Int,
        keyValueHeadCount: Int, headSize: Int, feedForwardSize: Int
    ) {
        self.digest = digest
        self.family = family
        self.hiddenSize = hiddenSize
        self.vocabularySize = vocabularySize
        self.blockCount = blockCount
        self.headCount = headCount
        self.keyValueHeadCount = keyValueHeadCount
        self.headSize = headSize
        self.feedForwardSize = feedForwardSize
    }

    /// What keeps a graft made for `self` from `other`, a sentence each: every difference in shape, then the digest
    /// unless `trusted`.
    public func differences(from other: GraftBase, trusted: Bool = false) -> [String] {
        var found: [String] = []
        func compare(_ name: String, _ mine: Int, _ theirs: Int) {
            if mine != theirs { found.append("\(name) is \(theirs), the graft's base has \(mine)") }
        }
        compare("hidden size", hiddenSize, other.hiddenSize)
        compare("vocabulary", vocabularySize, other.vocabularySize)
        compare("number of blocks", blockCount, other.blockCount)
        compare("number of heads", headCount, other.headCount)
        compare("number of key/value heads", keyValueHeadCount, other.keyValueHeadCount)
        compare("head size", headSize, other.headSize)
        compare("feed-forward size", feedForwardSize, other.feedForwardSize)
        guard !trusted else { return found }
        if family != other.family { found.append("family is \(other.family), the graft's base is \(family)") }
        if digest.isEmpty || other.digest.isEmpty {
            found.append(
                "\(digest.isEmpty ? "the graft" : "the model") does not say which checkpoint it was made from")
        } else if digest != other.digest {
            found.append("it was made from checkpoint \(other.digest), the graft's base from \(digest)")
        }
        return found
    }
}
