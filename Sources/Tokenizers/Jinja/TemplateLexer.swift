/// Cuts a template into text, and the tokens of its tags; white space around tags as Hugging Face's settings have it
/// (trim_blocks, lstrip_blocks).
struct TemplateLexer {
    enum Token: Equatable, Sendable {
        case text(String)
        case blockStart, blockEnd
        case outputStart, outputEnd
        case name(String)
        case string(String)
        case int(Int)
        case double(Double)
        case symbol(String)
    }

    struct Located: Sendable {
        var token: Token
        var line: Int
    }

    private let source: [Unicode.Scalar]
    private var index = 0
    private var line = 1
    private var tokens: [Located] = []
    /// The next text begins a line.
    private var lineStarts = true

    static func tokens(of source: String) throws(TokenizerError) -> [Located] {
        var lexer = TemplateLexer(source)
        try lexer.run()
        return lexer.tokens
    }

    private init(_ text: String) {
        var scalars: [Unicode.Scalar] = []
        var afterReturn = false
        for scalar in text.unicodeScalars {
            if scalar == "\r" {
                scalars.append("\n")
            } else if !(scalar == "\n" && afterReturn) {
                scalars.append(scalar)
            }
            afterReturn = scalar == "\r"
        }
        if scalars.last == "\n" { scalars.removeLast() }
        source = scalars
    }

    private func starts(_ text: String, at place: Int) -> Bool {
        var place = place
        for scalar in text.unicodeScalars {
            guard place < source.count, source[place] == scalar else { return false }
            place += 1
        }
        return true
    }

    private func isSpace(_ place: Int) -> Bool { place < source.count && source[place].properties.isWhitespace }

    private mutating func advance(to place: Int) {
        for position in index..<place where source[position] == "\n" { line += 1 }
        index = place
    }

    private mutating func run() throws(TokenizerError) {
        while index < source.count {
            var place = index
            while place < source.count,
                !(source[place] == "{" && place + 1 < source.count
                    && "{%#".unicodeScalars.contains(source[place + 1]))
            {
                place += 1
            }
            guard place < source.count else {
                appendText(source[index...])
                return
            }
            let kind = source[place + 1]
            let sign: Unicode.Scalar? = place + 2 < source.count ? source[place + 2] : nil
            var text = source[index..<place]
            if sign == "-" {
                while let last = text.last, last.properties.isWhitespace { text.removeLast() }
            } else if sign != "+", kind != "{" {
                let lineStart = text.lastIndex(of: "\n").map { $0 + 1 } ?? text.startIndex
                let beginsLine = lineStart > text.startIndex || lineStarts
                if beginsLine, text[lineStart...].allSatisfy({ $0.properties.isWhitespace }) {
                    text = text[..<lineStart]
                }
            }
            appendText(text)
            advance(to: place + 2 + (sign == "-" || sign == "+" ? 1 : 0))
            switch kind {
            case "#": try skipComment()
            case "%": if try !readRaw() { try readTag(end: "%}", isBlock: true) }
            default: try readTag(end: "}}", isBlock: false)
            }
        }
    }

    private mutating func appendText(_ text: ArraySlice<Unicode.Scalar>) {
        guard !text.isEmpty else { return }
        tokens.append(Located(token: .text(Self.string(text)), line: line))
    }

    private static func string(_ scalars: some Sequence<Unicode.Scalar>) -> String {
        var view = String.UnicodeScalarView()
        view.append(contentsOf: scalars)
        return String(view)
    }

    /// What follows a tag's end: with "-" all white space goes; after a block or comment one line break.
    private mutating func finishTag(trimsAll: Bool, trimsLine: Bool) {
        var place = index
        if trimsAll {
            while isSpace(place) { place += 1 }
        } else if trimsLine, place < source.count, source[place] == "\n" {
            place += 1
        }
        lineStarts = place > index && source[place - 1] == "\n"
        advance(to: place)
    }

    private mutating func skipComment() throws(TokenizerError) {
        var place = index
        while place < source.count, !starts("#}", at: place) { place += 1 }
        guard place < source.count else { throw .templateSyntax(line: line, reason: "a comment without an end") }
        let last: Unicode.Scalar? = place > index ? source[place - 1] : nil
        advance(to: place + 2)
        finishTag(trimsAll: last == "-", trimsLine: last != "+")
    }

    /// `raw` … `endraw`: text, whatever it looks like.
    private mutating func readRaw() throws(TokenizerError) -> Bool {
        guard let afterStart = tagEnd(named: "raw", at: index) else { return false }
        advance(to: afterStart.place)
        finishTag(trimsAll: afterStart.trims, trimsLine: !afterStart.keeps)
        var place = index
        while place < source.count {
            if starts("{%", at: place) {
                var inside = place + 2
                let sign: Unicode.Scalar? = inside < source.count ? source[inside] : nil
                if sign == "-" || sign == "+" { inside += 1 }
                if let end = tagEnd(named: "endraw", at: inside) {
                    var text = source[index..<place]
                    while sign == "-", let last = text.last, last.properties.isWhitespace { text.removeLast() }
                    appendText(text)
                    advance(to: end.place)
                    finishTag(trimsAll: end.trims, trimsLine: !end.keeps)
                    return true
                }
            }
            place += 1
        }
        throw .templateSyntax(line: line, reason: "raw without endraw")
    }

    private func tagEnd(named name: String, at start: Int) -> (place: Int, trims: Bool, keeps: Bool)? {
        var place = start
        while isSpace(place) { place += 1 }
        guard starts(name, at: place) else { return nil }
        place += name.unicodeScalars.count
        while isSpace(place) { place += 1 }
        let trims = place < source.count && source[place] == "-"
        let keeps = place < source.count && source[place] == "+"
        if trims || keeps { place += 1 }
        return starts("%}", at: place) ? (place + 2, trims, keeps) : nil
    }

    private mutating func readTag(end: String, isBlock: Bool) throws(TokenizerError) {
        tokens.append(Located(token: isBlock ? .blockStart : .outputStart, line: line))
        var open: [Unicode.Scalar] = []
        while true {
            while isSpace(index) { advance(to: index + 1) }
            guard index < source.count else { throw .templateSyntax(line: line, reason: "a tag without an end") }
            if open.isEmpty {
                for sign in ["-", "+", ""] where starts(sign + end, at: index) && (isBlock || sign != "+") {
                    advance(to: index + sign.count + 2)
                    tokens.append(Located(token: isBlock ? .blockEnd : .outputEnd, line: line))
                    finishTag(trimsAll: sign == "-", trimsLine: isBlock && sign != "+")
                    return
                }
            }
            let scalar = source[index]
            if scalar == "\"" || scalar == "'" {
                try readString(scalar)
            } else if ("0"..."9").contains(scalar) {
                try readNumber()
            } else if scalar == "_" || scalar.properties.isXIDStart {
                var place = index
                while place < source.count, source[place] == "_" || source[place].properties.isXIDContinue {
                    place += 1
                }
                append(.name(Self.string(source[index..<place])), to: place)
            } else {
                try readSymbol(&open)
            }
        }
    }

    private mutating func append(_ token: Token, to place: Int) {
        tokens.append(Located(token: token, line: line))
        advance(to: place)
    }

    private static let symbols = [
        "**", "//", "==", "!=", "<=", ">=", "+", "-", "*", "/", "%", "~", "<", ">", "=", ".", ",", ":", "|", "(", ")",
        "[", "]", "{", "}", ";",
    ]

    private mutating func readSymbol(_ open: inout [Unicode.Scalar]) throws(TokenizerError) {
        guard let symbol = Self.symbols.first(where: { starts($0, at: index) }) else {
            throw .templateSyntax(line: line, reason: "unexpected character \"\(source[index])\"")
        }
        switch symbol {
        case "(", "[", "{": open.append(symbol.unicodeScalars.first!)
        case ")", "]", "}":
            let wanted: Unicode.Scalar = symbol == ")" ? "(" : symbol == "]" ? "[" : "{"
            guard open.popLast() == wanted else {
                throw .templateSyntax(line: line, reason: "unexpected \"\(symbol)\"")
            }
        default: break
        }
        append(.symbol(symbol), to: index + symbol.unicodeScalars.count)
    }

    private mutating func readString(_ quote: Unicode.Scalar) throws(TokenizerError) {
        var text = String.UnicodeScalarView()
        var place = index + 1
        while place < source.count, source[place] != quote {
            guard source[place] == "\\", place + 1 < source.count else {
                text.append(source[place])
                place += 1
                continue
            }
            place += 2
            switch source[place - 1] {
            case "n": text.append("\n")
            case "t": text.append("\t")
            case "r": text.append("\r")
            case "b": text.append("\u{8}")
            case "f": text.append("\u{C}")
            case "v": text.append("\u{B}")
            case "a": text.append("\u{7}")
            case "0": text.append("\0")
            case "\\", "'", "\"": text.append(source[place - 1])
            case "\n": break
            case "x", "u", "U":
                let count = source[place - 1] == "x" ? 2 : source[place - 1] == "u" ? 4 : 8
                let digits = Self.string(source[place..<min(place + count, source.count)])
                guard digits.unicodeScalars.count == count, let value = UInt32(digits, radix: 16),
                    let scalar = Unicode.Scalar(value)
                else { throw .templateSyntax(line: line, reason: "a bad escape in a string") }
                text.append(scalar)
                place += count
            default:
                text.append("\\")
                text.append(source[place - 1])
            }
        }
        guard place < source.count else { throw .templateSyntax(line: line, reason: "a string without an end") }
        append(.string(String(text)), to: place + 1)
    }

    private mutating func readNumber() throws(TokenizerError) {
        var place = index
        func isDigit(_ place: Int) -> Bool {
            place < source.count && (("0"..."9").contains(source[place]) || source[place] == "_")
        }
        while isDigit(place) { place += 1 }
        var isDouble = false
        if place < source.count, source[place] == ".", isDigit(place + 1) {
            isDouble = true
            place += 1
            while isDigit(place) { place += 1 }
        }
        if place < source.count, source[place] == "e" || source[place] == "E" {
            var exponent = place + 1
            if exponent < source.count, source[exponent] == "-" || source[exponent] == "+" { exponent += 1 }
            if isDigit(exponent) {
                isDouble = true
                place = exponent
                while isDigit(place) { place += 1 }
            }
        }
        let digits = Self.string(source[index..<place]).filter { $0 != "_" }
        if !isDouble, let value = Int(digits) {
            append(.int(value), to: place)
        } else if let value = Double(digits) {
            append(.double(value), to: place)
        } else {
            throw .templateSyntax(line: line, reason: "a bad number")
        }
    }
}
