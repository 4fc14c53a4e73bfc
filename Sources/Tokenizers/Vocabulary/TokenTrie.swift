/// Finds the longest of a set of strings that begins at a place of a text.
struct TokenTrie: Sendable {
    private struct Node: Sendable {
        var byte: UInt8
        var firstChild: Int32 = -1
        var sibling: Int32 = -1
        var value: Int32 = -1
    }

    private var nodes = [Node(byte: 0)]
    /// First bytes of the set.
    private var begins = [Bool](repeating: false, count: 256)

    var isEmpty: Bool { nodes.count == 1 }

    /// Of equal strings the later one counts. The empty string is not kept.
    mutating func insert(_ bytes: some Sequence<UInt8>, value: Int) {
        var node = 0
        for byte in bytes {
            if node == 0 { begins[Int(byte)] = true }
            var child = Int(nodes[node].firstChild)
            while child >= 0, nodes[child].byte != byte { child = Int(nodes[child].sibling) }
            if child < 0 {
                child = nodes.count
                nodes.append(Node(byte: byte, sibling: nodes[node].firstChild))
                nodes[node].firstChild = Int32(child)
            }
            node = child
        }
        if node != 0 { nodes[node].value = Int32(value) }
    }

    @inline(__always)
    func canBegin(_ byte: UInt8) -> Bool { begins[Int(byte)] }

    func longestMatch(_ text: [UInt8], at start: Int, end: Int) -> (length: Int, value: Int)? {
        guard start < end, begins[Int(text[start])] else { return nil }
        var best: (Int, Int)?
        var node = 0
        var index = start
        while index < end {
            var child = Int(nodes[node].firstChild)
            while child >= 0, nodes[child].byte != text[index] { child = Int(nodes[child].sibling) }
            guard child >= 0 else { break }
            node = child
            index += 1
            if nodes[node].value >= 0 { best = (index - start, Int(nodes[node].value)) }
        }
        return best
    }
}
