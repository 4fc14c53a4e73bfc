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
        var stream = tokenizer.map { TextStream($0, after: prompt) }
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
                guard let added = try stream?.append(token) else { continue }
                show(watch.release(Array(added.utf8)))
                if watch.stopped {
                    ending = .stopString
                    break generating
                }
            }
        }
        if !watch.stopped {
            if let rest = try stream?.finish() { show(watch.release(Array(rest.utf8))) }
            if watch.stopped { ending = .stopString }
            show(watch.finish())
        }
        return Generation(
            tokens: tokens, text: String(decoding: text, as: UTF8.self), ending: ending,
            statistics: decoder.statistics)
    }
}
