/// A token that is found in the text before anything else cuts it.
public struct AddedToken: Hashable, Sendable {
    public var id: Int
    public var content: String
    /// Not part of the text that a person reads: <s>, <|im_end|>, ….
    public var isSpecial: Bool
    /// Only where no letter, digit or underscore touches it.
    public var singleWord = false
    /// Takes the white space before, or after, with it.
    public var stripsLeft = false
    public var stripsRight = false
    /// Looked for after normalization, in its own normalized form.
    public var isNormalized = false
    /// Looked for in the normalized text, but as it is written here.
    var isVerbatim = false

    public init(id: Int, content: String, isSpecial: Bool) {
        self.id = id
        self.content = content
        self.isSpecial = isSpecial
    }
}
