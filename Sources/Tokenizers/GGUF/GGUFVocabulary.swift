/// A vocabulary as GGUF metadata holds it (`tokenizer.ggml.*`): formats/tokenizers.md, part 3.
public struct GGUFVocabulary: Sendable {
    public enum TokenKind: Int32, Sendable {
        case normal = 1
        case unknown, control, userDefined, unused, byte
    }

    /// "gpt2" (byte-level BPE), "llama" (SentencePiece BPE), "t5" (unigram), ….
    public var model = "gpt2"
    /// Name of the pre-tokenizer.
    public var preTokenizer: String?
    /// Bytes of UTF-8, by id.
    public var tokens: [[UInt8]] = []
    public var scores: [Float]?
    public var kinds: [TokenKind]?
    /// Two tokens and a space between, earliest first.
    public var merges: [[UInt8]]?
    public var special = SpecialTokens()
    public var addsSpacePrefix: Bool?
    public var removesExtraSpaces: Bool?
    public var addsSeparator: Bool?
    /// The pre-tokenizer's regular expressions, where its name does not say them.
    public var expressions: [String]?
    public var charactersMap: [UInt8]?
    public var chatTemplates: [(name: String, source: String)] = []
    /// What could not be said exactly, for the person who converts.
    public var notes: [String] = []

    public init() {}
}
