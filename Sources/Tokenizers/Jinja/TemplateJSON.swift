import TensorFiles

/// `tojson`: Python's json.dumps without escapes for characters beyond ASCII.
struct TemplateJSON {
    var indent: Int?
    var itemSeparator: String
    var keySeparator: String
    var sortsKeys: Bool
    private(set) var bytes: [UInt8] = []

    init(indent: Int?, separators: [String]? = nil, sortsKeys: Bool = false) {
        self.indent = indent
        itemSeparator = separators?.first ?? (indent == nil ? ", " : ",")
        keySeparator = separators?.last ?? ": "
        self.sortsKeys = sortsKeys
    }

    /// False for a value that JSON has no form for.
    mutating func write(_ value: TemplateValue, depth: Int = 0) -> Bool {
        switch value {
        case .none: bytes += "null".utf8
        case .bool(let flag): bytes += (flag ? "true" : "false").utf8
        case .int(let number): bytes += String(number).utf8
        case .double(let number):
            bytes +=
                (number.isNaN
                ? "NaN" : number.isInfinite ? number < 0 ? "-Infinity" : "Infinity" : TemplateValue.text(number)).utf8
        case .string(let text): JSONEscape.quote(text, into: &bytes)
        case .list(let elements):
            return enclose("[", "]", elements, depth) { writer, element in writer.write(element, depth: depth + 1) }
        case .dictionary(let dictionary):
            let members = sortsKeys ? dictionary.members.sorted { $0.key < $1.key } : dictionary.members
            return enclose("{", "}", members, depth) { writer, member in
                JSONEscape.quote(member.key, into: &writer.bytes)
                writer.bytes += writer.keySeparator.utf8
                return writer.write(member.value, depth: depth + 1)
            }
        case .undefined, .callable, .namespace: return false
        }
        return true
    }

    private mutating func enclose<Item>(
        _ open: String, _ close: String, _ items: [Item], _ depth: Int,
        _ body: (inout TemplateJSON, Item) -> Bool
    ) -> Bool {
        bytes += open.utf8
        for (index, item) in items.enumerated() {
            if index > 0 { bytes += itemSeparator.utf8 }
            newLine(depth + 1)
            guard body(&self, item) else { return false }
        }
        if !items.isEmpty { newLine(depth) }
        bytes += close.utf8
        return true
    }

    private mutating func newLine(_ depth: Int) {
        guard let indent else { return }
        bytes += "\n".utf8
        bytes += repeatElement(UInt8(ascii: " "), count: max(0, min(16, indent)) * depth)
    }
}
