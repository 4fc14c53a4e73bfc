/// The ids of tokens with a task of their own.
public struct SpecialTokens: Hashable, Sendable {
    public var bos: Int?
    public var eos: Int?
    /// Ends a turn of a conversation, where that is not `eos`.
    public var eot: Int?
    /// Ends a message that is to be continued after a tool has run.
    public var eom: Int?
    public var unknown: Int?
    public var padding: Int?
    public var separator: Int?
    public var classification: Int?
    public var mask: Int?
    /// Whether a text gets `bos` in front and `eos` behind when special tokens are asked for; `nil`: not stated.
    public var addsBos: Bool?
    public var addsEos: Bool?
    /// Generation stops after any of these.
    public var endOfGeneration: Set<Int> = []

    public init() {}

    /// Texts that end a generation in the models that have them, whatever their configuration says.
    static let endingTexts: Set<String> = [
        "<|eot_id|>", "<|im_end|>", "<|end|>", "<|return|>", "<|call|>", "<|flush|>", "<|calls|>", "<end_of_turn>",
        "<|endoftext|>", "</s>", "<|eom_id|>", "<EOT>", "_<EOT>", "[EOT]", "[EOS]", "<|end_of_text|>",
        "<end_of_utterance>", "<eos>", "<turn|>", "<|tool_response>", "<｜end▁of▁sentence｜>", "[e~[",
    ]

    /// Of those, the ones that end a turn.
    static let turnEndingTexts = [
        "<|eot_id|>", "<|im_end|>", "<|end|>", "<end_of_turn>", "<|endoftext|>", "<|end_of_text|>", "<EOT>", "_<EOT>",
        "[EOT]", "<｜end▁of▁sentence｜>", "<end_of_utterance>",
    ]
}
