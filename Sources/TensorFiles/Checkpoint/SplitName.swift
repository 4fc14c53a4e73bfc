/// A file name of the form `prefix-00001-of-00003.gguf` (or `.safetensors`).
public struct SplitName: Hashable, Sendable {
    public let prefix: String
    /// From 1.
    public let number: Int
    public let count: Int
    /// With its dot.
    public let suffix: String
    /// How many digits a number is written with; five, but older shards differ.
    private let digits: Int

    public init(prefix: String, number: Int, count: Int, suffix: String) {
        self.prefix = prefix
        self.number = number
        self.count = count
        self.suffix = suffix
        digits = 5
    }

    /// `nil` when the name has another form.
    public init?(_ name: String) {
        guard let dot = name.lastIndex(of: ".") else { return nil }
        let parts = name[..<dot].split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count >= 4, parts[parts.count - 2] == "of" else { return nil }
        let (numberText, countText) = (parts[parts.count - 3], parts[parts.count - 1])
        guard numberText.count == countText.count, (1...9).contains(countText.count),
            numberText.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            countText.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            let number = Int(numberText), let count = Int(countText)
        else { return nil }
        prefix = parts.dropLast(3).joined(separator: "-")
        self.number = number
        self.count = count
        suffix = String(name[dot...])
        digits = countText.count
    }

    /// The name of another file of the same split.
    public func name(_ number: Int) -> String {
        "\(prefix)-\(padded(number))-of-\(padded(count))\(suffix)"
    }

    private func padded(_ number: Int) -> String {
        let text = String(number)
        return String(repeating: "0", count: max(0, digits - text.count)) + text
    }
}
