import Foundation

/// Text made safe for HTML and SVG, and numbers made short for people.
enum Markup {
    static func escape(_ text: String) -> String {
        var result = ""
        result.reserveCapacity(text.utf8.count)
        for character in text.unicodeScalars {
            switch character {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            case "'": result += "&#39;"
            // Control characters are not allowed in HTML; a picture of them is.
            case "\n": result += "⏎"
            case "\t": result += "⇥"
            case let control where control.value < 32: result += "�"
            default: result.unicodeScalars.append(character)
            }
        }
        return result
    }

    /// Three significant digits, never in exponent notation for everyday sizes.
    static func number(_ value: Double) -> String {
        guard value.isFinite else { return value.isNaN ? "–" : (value > 0 ? "∞" : "-∞") }
        let size = abs(value)
        if size == 0 { return "0" }
        if size < 1e-4 { return String(format: "%.1e", value) }
        let decimals = max(0, min(6, 2 - Int(floor(log10(size)))))
        return String(format: "%.\(decimals)f", value)
    }

    /// An axis mark: as `number`, without the zeros that end it.
    static func tick(_ value: Double) -> String {
        let text = number(value)
        guard text.contains("."), !text.contains("e") else { return text.replacing(".0e", with: "e") }
        return String(text.reversed().drop { $0 == "0" }.drop { $0 == "." }.reversed())
    }

    static func percent(_ share: Double, decimals: Int = 1) -> String {
        String(format: "%.\(decimals)f %%", share * 100)
    }

    static func bytes(_ count: Int) -> String {
        let units = ["B", "KiB", "MiB", "GiB", "TiB"]
        var value = Double(count)
        var unit = 0
        while value >= 1024, unit < units.count - 1 {
            value /= 1024
            unit += 1
        }
        return unit == 0 ? "\(count) B" : String(format: value < 10 ? "%.2f %@" : "%.1f %@", value, units[unit])
    }
}

/// One HTML or SVG element; attributes are escaped, `content` is markup already.
func element(_ name: String, _ attributes: KeyValuePairs<String, String> = [:], _ content: String = "") -> String {
    var opening = "<" + name
    for (key, value) in attributes { opening += " \(key)=\"\(Markup.escape(value))\"" }
    return "\(opening)>\(content)</\(name)>"
}
