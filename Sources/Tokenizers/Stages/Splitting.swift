/// How the matches of a pattern, and what lies between them, become pieces.
enum SplitBehavior: String, Sendable {
    case isolated = "Isolated"
    case removed = "Removed"
    case mergedWithPrevious = "MergedWithPrevious"
    case mergedWithNext = "MergedWithNext"
    case contiguous = "Contiguous"
}

struct Splitter: Sendable {
    var pattern: Pattern
    var behavior: SplitBehavior
    /// What does not match counts as the match.
    var inverted: Bool = false

    /// Calls `body` with each piece of `text[range]`, none empty.
    @inline(__always)
    func forEachPiece(
        of text: [UInt8], range: Range<Int>, _ body: (Range<Int>) throws(TokenizerError) -> Void
    ) throws(TokenizerError) {
        switch behavior {
        case .isolated:
            var position = range.lowerBound
            try pattern.forEachMatch(in: text, range: range) { (match) throws(TokenizerError) in
                if position < match.lowerBound { try body(position..<match.lowerBound) }
                if !match.isEmpty { try body(match) }
                position = match.upperBound
            }
            if position < range.upperBound { try body(position..<range.upperBound) }
        case .removed where inverted:
            try pattern.forEachMatch(in: text, range: range) { (match) throws(TokenizerError) in
                if !match.isEmpty { try body(match) }
            }
        default:
            for piece in try merged(parts(of: text, range)) where !piece.isEmpty { try body(piece) }
        }
    }

    private struct Part {
        var range: Range<Int>
        var matches: Bool
    }

    private func parts(of text: [UInt8], _ range: Range<Int>) throws(TokenizerError) -> [Part] {
        var parts: [Part] = []
        var position = range.lowerBound
        try pattern.forEachMatch(in: text, range: range) { (match) throws(TokenizerError) in
            if position < match.lowerBound {
                parts.append(Part(range: position..<match.lowerBound, matches: inverted))
            }
            parts.append(Part(range: match, matches: !inverted))
            position = match.upperBound
        }
        if position < range.upperBound { parts.append(Part(range: position..<range.upperBound, matches: inverted)) }
        return parts
    }

    private func merged(_ parts: [Part]) -> [Range<Int>] {
        var pieces: [Range<Int>] = []
        var matchBefore = false
        switch behavior {
        case .isolated: return parts.map(\.range)
        case .removed: return parts.filter { !$0.matches }.map(\.range)
        case .mergedWithPrevious:
            for part in parts {
                if part.matches, !matchBefore, let last = pieces.popLast() {
                    pieces.append(last.lowerBound..<part.range.upperBound)
                } else {
                    pieces.append(part.range)
                }
                matchBefore = part.matches
            }
            return pieces
        case .mergedWithNext:
            for part in parts.reversed() {
                if part.matches, !matchBefore, let last = pieces.popLast() {
                    pieces.append(part.range.lowerBound..<last.upperBound)
                } else {
                    pieces.append(part.range)
                }
                matchBefore = part.matches
            }
            return pieces.reversed()
        case .contiguous:
            for part in parts {
                if part.matches == matchBefore, let last = pieces.popLast() {
                    pieces.append(last.lowerBound..<part.range.upperBound)
                } else {
                    pieces.append(part.range)
                }
                matchBefore = part.matches
            }
            return pieces
        }
    }
}
