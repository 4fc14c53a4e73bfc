import Foundation

/// What happens to text before it is cut: `tokenizer.json`'s "normalizer". From valid UTF-8 to valid UTF-8.
indirect enum Normalizer: Sendable {
    case sequence([Normalizer])
    case canonicalComposition
    case canonicalDecomposition
    case compatibilityComposition
    case compatibilityDecomposition
    case lowercase
    case strip(left: Bool, right: Bool)
    case stripAccents
    case prepend([UInt8])
    case replace([UInt8], with: [UInt8])
    case replacePattern(Pattern, with: [UInt8])
    case machineTranslation
    case byteLevel
    case charactersMap(CharactersMap)
    case sentencePiece(SentencePieceNormalizer)

    func normalize(_ text: [UInt8]) throws(TokenizerError) -> [UInt8] {
        switch self {
        case .sequence(let normalizers):
            var text = text
            for normalizer in normalizers { text = try normalizer.normalize(text) }
            return text
        case .canonicalComposition:
            // Below U+0300 (lead byte 0xCC) everything is composed already.
            return Self.isBelow(0xCC, text)
                ? text : CanonicalForms.apply(text) { $0.precomposedStringWithCanonicalMapping }
        case .canonicalDecomposition:
            return Self.isBelow(0x80, text)
                ? text : CanonicalForms.apply(text) { $0.decomposedStringWithCanonicalMapping }
        case .compatibilityComposition:
            return Self.isBelow(0x80, text)
                ? text : CanonicalForms.apply(text) { $0.precomposedStringWithCompatibilityMapping }
        case .compatibilityDecomposition:
            return Self.isBelow(0x80, text)
                ? text : CanonicalForms.apply(text) { $0.decomposedStringWithCompatibilityMapping }
        case .lowercase:
            return Self.mapScalars(text) { $0.properties.lowercaseMapping }
        case .stripAccents:
            return Self.mapScalars(text) { $0.properties.generalCategory == .nonspacingMark ? "" : nil }
        case .machineTranslation:
            return Self.mapScalars(text, Self.machineTranslation)
        case .strip(let left, let right):
            var scalars = String(decoding: text, as: UTF8.self).unicodeScalars[...]
            if left { scalars = scalars.drop { $0.properties.isWhitespace } }
            while right, let last = scalars.last, last.properties.isWhitespace { scalars.removeLast() }
            return Array(String(scalars).utf8)
        case .prepend(let prefix):
            return text.isEmpty ? text : prefix + text
        case .replace(let old, let new):
            return Self.replace(text, old, new)
        case .replacePattern(let pattern, let new):
            var result: [UInt8] = []
            var position = 0
            try pattern.forEachMatch(in: text, range: 0..<text.count) { (range) throws(TokenizerError) in
                result += text[position..<range.lowerBound]
                result += new
                position = range.upperBound
            }
            result += text[position...]
            return result
        case .byteLevel: return ByteAlphabet.encode(text)
        case .charactersMap(let map): return map.normalizeByGrapheme(text)
        case .sentencePiece(let normalizer): return normalizer.normalize(text)
        }
    }

    private static func isBelow(_ limit: UInt8, _ text: [UInt8]) -> Bool {
        for byte in text where byte >= limit { return false }
        return true
    }

    /// `nil` keeps a character.
    private static func mapScalars(_ text: [UInt8], _ map: (Unicode.Scalar) -> String?) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(text.count)
        for scalar in String(decoding: text, as: UTF8.self).unicodeScalars {
            if let mapped = map(scalar) {
                result += mapped.utf8
            } else {
                result += UTF8.encode(scalar)!
            }
        }
        return result
    }

    static func replace(_ text: [UInt8], _ old: [UInt8], _ new: [UInt8]) -> [UInt8] {
        guard let first = old.first, text.count >= old.count else { return text }
        var result: [UInt8] = []
        result.reserveCapacity(text.count + text.count / 4)
        var index = 0
        while index < text.count {
            if text[index] == first, text.count - index >= old.count,
                old.indices.allSatisfy({ text[index + $0] == old[$0] })
            {
                result += new
                index += old.count
            } else {
                result.append(text[index])
                index += 1
            }
        }
        return result
    }

    /// SentencePiece's clean-up for machine translation: controls away, odd spaces to spaces.
    private static func machineTranslation(_ scalar: Unicode.Scalar) -> String? {
        switch scalar.value {
        case 0x01...0x08, 0x0B, 0x0E...0x1F, 0x7F, 0x8F, 0x9F: ""
        case 0x09, 0x0A, 0x0C, 0x0D, 0x1680, 0x200B...0x200F, 0x2028, 0x2029, 0x2581, 0xFEFF, 0xFFFD: " "
        default: nil
        }
    }
}
