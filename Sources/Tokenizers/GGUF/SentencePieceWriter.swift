/// Writes a `tokenizer.model` for a GGUF's SentencePiece vocabulary.
struct SentencePieceWriter {
    private(set) var bytes: [UInt8] = []

    init(_ vocabulary: GGUFVocabulary) {
        for (id, token) in vocabulary.tokens.enumerated() {
            let kind = vocabulary.kinds?[id] ?? .normal
            var piece: [UInt8] = []
            // A user's symbol is looked for where spaces are marks already.
            let text =
                kind == .userDefined
                ? Normalizer.replace(token, [UInt8(ascii: " ")], SentencePieceNormalizer.mark) : token
            Self.field(1, bytes: text, &piece)
            Self.field(2, float: vocabulary.scores?[id] ?? 0, &piece)
            if kind != .normal { Self.field(3, number: Self.kind(kind).rawValue, &piece) }
            Self.field(1, bytes: piece, &bytes)
        }
        let isUnigram = vocabulary.model == "t5"
        var trainer: [UInt8] = []
        let algorithm = isUnigram ? SentencePieceFile.Algorithm.unigram : .bytePair
        Self.field(3, number: algorithm.rawValue, &trainer)
        Self.field(4, number: vocabulary.tokens.count, &trainer)
        Self.field(35, number: vocabulary.kinds?.contains(.byte) == true ? 1 : 0, &trainer)
        let special = vocabulary.special
        func isControl(_ id: Int?) -> Int {
            guard let id, let kinds = vocabulary.kinds, kinds.indices.contains(id), kinds[id] == .control else {
                return -1
            }
            return id
        }
        Self.field(40, number: vocabulary.kinds?.firstIndex(of: .unknown) ?? special.unknown ?? 0, &trainer)
        Self.field(41, number: isControl(special.bos ?? (isUnigram ? nil : 1)), &trainer)
        Self.field(42, number: isControl(special.eos ?? (isUnigram ? nil : 2)), &trainer)
        Self.field(43, number: isControl(special.padding), &trainer)
        Self.field(2, bytes: trainer, &bytes)
        var normalizer: [UInt8] = []
        Self.field(1, bytes: Array((vocabulary.charactersMap == nil ? "identity" : "precompiled").utf8), &normalizer)
        Self.field(2, bytes: vocabulary.charactersMap ?? [], &normalizer)
        Self.field(3, number: vocabulary.addsSpacePrefix ?? true ? 1 : 0, &normalizer)
        Self.field(4, number: vocabulary.removesExtraSpaces ?? false ? 1 : 0, &normalizer)
        Self.field(5, number: 1, &normalizer)
        Self.field(3, bytes: normalizer, &bytes)
    }

    private static func kind(_ kind: GGUFVocabulary.TokenKind) -> SentencePieceFile.Kind {
        switch kind {
        case .normal: .normal
        case .unknown: .unknown
        case .control: .control
        case .userDefined: .userDefined
        case .unused: .unused
        case .byte: .byte
        }
    }

    private static func varint(_ value: UInt64, _ output: inout [UInt8]) {
        var rest = value
        while rest >= 0x80 {
            output.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        output.append(UInt8(rest))
    }

    private static func field(_ number: UInt64, number value: Int, _ output: inout [UInt8]) {
        varint(number << 3, &output)
        varint(UInt64(bitPattern: Int64(value)), &output)
    }

    private static func field(_ number: UInt64, float value: Float, _ output: inout [UInt8]) {
        varint(number << 3 | 5, &output)
        for shift in stride(from: UInt32(0), to: 32, by: 8) {
            output.append(UInt8(truncatingIfNeeded: value.bitPattern >> shift))
        }
    }

    private static func field(_ number: UInt64, bytes: [UInt8], _ output: inout [UInt8]) {
        varint(number << 3 | 2, &output)
        varint(UInt64(bytes.count), &output)
        output += bytes
    }
}
