import Tokenizers

/// Turns tokens into text as they come.
///
/// A token's text can depend on its neighbours (spaces, characters in several tokens), so a few tokens are decoded
/// anew with each one, and text that ends inside a character waits.
struct TextStream {
    private let tokenizer: Tokenizer
    private var tokens: [Int] = []
    /// Tokens from here on are decoded; text of those before `shown` has been given out.
    private var start = 0
    private var shown = 0

    /// - Parameter prompt: tokens before, which say whether a first space is text.
    init(_ tokenizer: Tokenizer, after prompt: [Int]) {
        self.tokenizer = tokenizer
        tokens = Array(prompt.suffix(8))
        shown = tokens.count
    }

    /// The text that `token` adds.
    mutating func append(_ token: Int) throws -> String {
        tokens.append(token)
        let before = try tokenizer.decode(tokens[start..<shown], skipSpecialTokens: true)
        let now = try tokenizer.decode(tokens[start...], skipSpecialTokens: true)
        // An unfinished character; more than a few such tokens are bytes that never become one.
        if now.hasSuffix("\u{FFFD}"), tokens.count - shown < 4 { return "" }
        let added = Self.suffix(of: now, after: before)
        start = max(start, shown - 4)
        shown = tokens.count
        return added
    }

    /// What still waits when no more comes.
    mutating func finish() throws -> String {
        guard shown < tokens.count else { return "" }
        let before = try tokenizer.decode(tokens[start..<shown], skipSpecialTokens: true)
        let now = try tokenizer.decode(tokens[start...], skipSpecialTokens: true)
        shown = tokens.count
        return Self.suffix(of: now, after: before)
    }

    private static func suffix(of text: String, after prefix: String) -> String {
        let (text, prefix) = (Array(text.utf8), Array(prefix.utf8))
        guard text.count > prefix.count else { return "" }
        return String(decoding: text[prefix.count...], as: UTF8.self)
    }
}
