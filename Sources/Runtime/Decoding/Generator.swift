public import Tokenizers

/// What a decoder wrote after one prompt.
public struct Generation: Sendable {
    public enum Ending: String, Sendable, Codable {
        case length, endToken, stopString, context
    }

    /// Tokens, an ending token and those of a stop string included.
    public var tokens: [Int]
    /// Their text, without an ending token or stop string.
    public var text: String
    public var ending: Ending
    public var statistics: DecodingStatistics
}

/// Runs a decoder until something ends the text.
public struct Generator {
    /// Most tokens to write.
    public var limit: Int
    public var stops: [String]
    /// Tokens that end the text; empty to go on past them.
    public var endTokens: Set<Int>
    /// `nil`: tokens only.
    public var tokenizer: Tokenizer?

    public init(limit: Int, stops: [String] = [], endTokens: Set<Int> = [], tokenizer: Tokenizer? = nil) {
        self.limit = limit
        self.stops = stops
        self.endTokens = endTokens
        self.tokenizer = tokenizer
    }

    /// - Parameters:
    ///   - capacity: positions of the decoder's sequence.
    ///   - onText: called with text as soon as it is certain.
    public func run(
        _ decoder: any TokenDecoder, prompt: [Int], capacity: Int, onText: ((String) -> Void)? = nil
    ) throws -> Generation {
        guard !prompt.isEmpty else { throw RuntimeError.options("the prompt has no tokens") }
        guard prompt.count <= capacity else {
            throw RuntimeError.contextFull(needed: prompt.count, capacity: capacity)
        }
        try decoder.start(prompt: prompt)
        // The end of the prompt decides whether a first space is text, and may hold the start of a character.
        var stream = tokenizer.map { StreamingDecoder($0, skipSpecialTokens: true) }
        for token in prompt.suffix(8) { _ = try self.text(of: token, &stream) }
        var watch = StopStrings(stops)
        var tokens: [Int] = []
        var text: [UInt8] = []
        func show(_ released: [UInt8]) {
            text += released
            if let onText, !released.isEmpty { onText(String(decoding: released, as: UTF8.self)) }
        }
        var ending = Generation.Ending.length
        generating: while tokens.count < limit {
            // The last token of a text needs no position of its own.
            let room = capacity + 1 - prompt.count - tokens.count
            guard room > 0 else {
                ending = .context
                break
            }
            for token in try decoder.step(limit: min(limit - tokens.count, room)) {
                tokens.append(token)
                if endTokens.contains(token) {
                    ending = .endToken
                    break generating
                }
                show(watch.release(Array(try self.text(of: token, &stream).utf8)))
                if watch.stopped {
                    ending = .stopString
                    break generating
                }
            }
        }
        if !watch.stopped {
            if let rest = stream?.finish() { show(watch.release(Array(rest.utf8))) }
            if watch.stopped { ending = .stopString }
            show(watch.finish())
        }
        return Generation(
            tokens: tokens, text: String(decoding: text, as: UTF8.self), ending: ending,
            statistics: decoder.statistics)
    }

    /// What a token adds; nothing for the ids that some models have beyond their tokenizer's.
    private func text(of token: Int, _ stream: inout StreamingDecoder?) throws -> String {
        guard let tokenizer, token < tokenizer.vocabularySize else { return "" }
        return try stream?.append(token) ?? ""
    }
}
