/// Cuts normalized text into words that the model never joins: `tokenizer.json`'s "pre_tokenizer", flattened.
struct PreTokenizer: Sendable {
    enum Step: Sendable {
        case split(Splitter)
        /// Puts a space before a piece that has none.
        case prefixSpace
        /// Bytes become characters of the byte alphabet, which later steps see.
        case byteAlphabet
        /// Spaces become the mark; a piece gets one in front: always, only at the start of the text, or never.
        case metaspace(mark: [UInt8], prepend: Prepend)
    }

    enum Prepend: String, Sendable { case always, first, never }

    var steps: [Step] = []
    /// Words arrive spelled in the byte alphabet, and the model takes bytes.
    var readsAlphabet = false

    /// Text, and what the patterns see of it: the same bytes but for characters newer than their tables.
    struct Subject {
        var text: [UInt8]
        var matched: [UInt8]

        init(_ text: [UInt8]) {
            self.text = text
            matched = NewerCharacters.substitute(in: text) ?? text
        }
    }

    init(steps: [Step] = []) { self.steps = steps }

    /// The steps in front of a model that takes bytes instead of characters of the byte alphabet.
    init(byteLevelSteps steps: [Step], spelledBefore: Bool) {
        self.steps = steps
        if !spelledBefore, case .byteAlphabet? = steps.last {
            self.steps.removeLast()
        }
        readsAlphabet = spelledBefore || self.steps.contains { if case .byteAlphabet = $0 { true } else { false } }
    }

    /// Calls `body` with each word: the text it lies in, and where. `atStart`: nothing of the input lies before.
    func forEachWord(
        of text: [UInt8], atStart: Bool,
        _ body: ([UInt8], Range<Int>) throws(TokenizerError) -> Void
    ) throws(TokenizerError) {
        guard !text.isEmpty else { return }
        try run(0, Subject(text), 0..<text.count, atStart: atStart, body)
    }

    private func run(
        _ index: Int, _ subject: Subject, _ range: Range<Int>, atStart: Bool,
        _ body: ([UInt8], Range<Int>) throws(TokenizerError) -> Void
    ) throws(TokenizerError) {
        guard index < steps.count else {
            if readsAlphabet, let bytes = ByteAlphabet.decode(Array(subject.text[range])) {
                try body(bytes, 0..<bytes.count)
            } else {
                try body(subject.text, range)
            }
            return
        }
        let isLast = index + 1 == steps.count && !readsAlphabet
        switch steps[index] {
        case .split(let splitter):
            try splitter.forEachPiece(of: subject.matched, range: range) { (piece) throws(TokenizerError) in
                if isLast {
                    try body(subject.text, piece)
                } else {
                    let first = atStart && piece.lowerBound == range.lowerBound
                    try run(index + 1, subject, piece, atStart: first, body)
                }
            }
        case .prefixSpace:
            if subject.text[range.lowerBound] == UInt8(ascii: " ") {
                try run(index + 1, subject, range, atStart: atStart, body)
            } else {
                let text = [UInt8(ascii: " ")] + subject.text[range]
                try run(index + 1, Subject(text), 0..<text.count, atStart: atStart, body)
            }
        case .byteAlphabet:
            let text = ByteAlphabet.encode(subject.text[range])
            try run(index + 1, Subject(text), 0..<text.count, atStart: atStart, body)
        case .metaspace(let mark, let prepend):
            var text = Normalizer.replace(Array(subject.text[range]), [UInt8(ascii: " ")], mark)
            let wanted = prepend == .always || prepend == .first && atStart
            if wanted, !text.starts(with: mark) { text = mark + text }
            try run(index + 1, Subject(text), 0..<text.count, atStart: atStart, body)
        }
    }
}
