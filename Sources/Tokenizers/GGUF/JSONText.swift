import TensorFiles

/// Writes JSON, two spaces deep for each level, as the Hub's own files are.
struct JSONText {
    private(set) var bytes: [UInt8] = []
    private var depth = 0
    private var isFirst = true

    mutating func null() { bytes += "null".utf8 }
    mutating func bool(_ value: Bool) { bytes += (value ? "true" : "false").utf8 }
    mutating func number(_ value: Int) { bytes += String(value).utf8 }
    mutating func string(_ text: String) { JSONEscape.quote(text, into: &bytes) }
    mutating func string(_ text: some Sequence<UInt8>) { string(String(decoding: Array(text), as: UTF8.self)) }

    mutating func object(_ body: (inout JSONText) -> Void) { enclose("{", "}", body) }
    mutating func array(_ body: (inout JSONText) -> Void) { enclose("[", "]", body) }

    mutating func member(_ key: String, _ value: (inout JSONText) -> Void) {
        separate()
        string(key)
        bytes += ": ".utf8
        value(&self)
    }

    mutating func member(_ key: [UInt8], _ value: (inout JSONText) -> Void) {
        member(String(decoding: key, as: UTF8.self), value)
    }

    mutating func element(_ value: (inout JSONText) -> Void) {
        separate()
        value(&self)
    }

    private mutating func separate() {
        if !isFirst { bytes.append(UInt8(ascii: ",")) }
        isFirst = false
        newLine()
    }

    private mutating func newLine() {
        bytes.append(UInt8(ascii: "\n"))
        bytes.append(contentsOf: repeatElement(UInt8(ascii: " "), count: 2 * depth))
    }

    private mutating func enclose(_ open: String, _ close: String, _ body: (inout JSONText) -> Void) {
        let outer = isFirst
        bytes += open.utf8
        depth += 1
        isFirst = true
        body(&self)
        depth -= 1
        if !isFirst { newLine() }
        isFirst = outer
        bytes += close.utf8
    }
}
