import Foundation

/// Unicode's normalization forms as the `tokenizers` library has them.
///
/// Its tables are those of Unicode 9. A character that got a combining class or a decomposition later is an ordinary
/// letter to it: it stays as it is, and nothing is reordered or composed across it. Without this, rare marks come out
/// in another order, and as other tokens, than the model was trained on.
enum CanonicalForms {
    static func apply(_ text: [UInt8], _ form: (String) -> String) -> [UInt8] {
        var result: [UInt8] = []
        var start = 0
        var index = 0
        while index < text.count {
            let length = UTF8Text.length(lead: text[index])
            if length > 1, let scalar = UTF8Text.scalar(text, at: index), isLater(scalar.value) {
                if start < index { result += form(String(decoding: text[start..<index], as: UTF8.self)).utf8 }
                result += text[index..<index + length]
                start = index + length
            }
            index += length
        }
        guard start > 0 else { return Array(form(String(decoding: text, as: UTF8.self)).utf8) }
        if start < text.count { result += form(String(decoding: text[start...], as: UTF8.self)).utf8 }
        return result
    }

    private static func isLater(_ value: UInt32) -> Bool {
        guard value >= 0x7FD, pages[Int(value >> 8)] else { return false }
        var low = 0
        var high = table.count / 2
        while low < high {
            let middle = (low + high) / 2
            if table[2 * middle + 1] < value { low = middle + 1 } else { high = middle }
        }
        return low < table.count / 2 && table[2 * low] <= value
    }

    private static let pages: [Bool] = {
        var pages = [Bool](repeating: false, count: 0x1100)
        for entry in stride(from: 0, to: table.count, by: 2) {
            for page in table[entry] >> 8...table[entry + 1] >> 8 { pages[Int(page)] = true }
        }
        return pages
    }()

    /// First and last of each range; ascending.
    private static let table: [UInt32] = [
        0x7FD, 0x7FD, 0x897, 0x89F, 0x8CA, 0x8D3, 0x9FE, 0x9FE, 0xC3C, 0xC3C, 0xCF3, 0xCF3, 0xD3B, 0xD3C,
        0xEBA, 0xEBA, 0xECE, 0xECE, 0x1715, 0x1715, 0x1ABF, 0x1ACE, 0x1DF6, 0x1DFA, 0x32FF, 0x32FF, 0xA7F2, 0xA7F4,
        0xA82C, 0xA82C, 0xAB69, 0xAB69, 0x105C0, 0x105F3, 0x10781, 0x10785, 0x10787, 0x107B0, 0x107B2, 0x107BA,
        0x10D24, 0x10D27, 0x10D69, 0x10D6D, 0x10EAB, 0x10EAC, 0x10EFC, 0x10EFF, 0x10F46, 0x10F50, 0x10F82, 0x10F85,
        0x11070, 0x11070, 0x11241, 0x11241, 0x1133B, 0x1133B, 0x11380, 0x113D2, 0x113E1, 0x113E2, 0x1145E, 0x1145E,
        0x11839, 0x1183A, 0x11935, 0x11935, 0x11938, 0x11938, 0x1193D, 0x1193E, 0x11943, 0x11943, 0x119E0, 0x119E0,
        0x11A34, 0x11A34, 0x11A47, 0x11A47, 0x11A99, 0x11A99, 0x11D42, 0x11D42, 0x11D44, 0x11D45, 0x11D97, 0x11D97,
        0x11F00, 0x11F01, 0x11F03, 0x11F03, 0x11F34, 0x11F3A, 0x11F3E, 0x11F42, 0x11F5A, 0x11F5A, 0x13440, 0x13440,
        0x13447, 0x13455, 0x16100, 0x1612F, 0x16D40, 0x16D6C, 0x16FF0, 0x16FF1, 0x1E08F, 0x1E08F, 0x1E130, 0x1E136,
        0x1E2AE, 0x1E2AE, 0x1E2EC, 0x1E2EF, 0x1E4EC, 0x1E4EF, 0x1E5EE, 0x1E5EF, 0x1F16C, 0x1F16C, 0x1FBF0, 0x1FBF9,
    ]
}
