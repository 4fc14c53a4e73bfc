/// How far two names are apart, to tell a misnamed tensor from a missing and an extra one.
package enum NameDistance {
    /// The candidate that differs from `name` in the fewest places, when those are few: at most a quarter.
    package static func closest(to name: String, among candidates: [String]) -> String? {
        let limit = max(2, name.utf8.count / 4)
        let distances = candidates.map { (name: $0, distance: distance(name, $0, limit: limit)) }
        guard let best = distances.min(by: { $0.distance < $1.distance }), best.distance <= limit else { return nil }
        // Two equally good twins say that the names are merely alike, like those of two layers.
        return distances.count { $0.distance == best.distance } == 1 ? best.name : nil
    }

    /// Levenshtein's distance in bytes; `limit + 1` when it is more than `limit`.
    package static func distance(_ one: String, _ other: String, limit: Int) -> Int {
        let first = Array(one.utf8.prefix(256))
        let second = Array(other.utf8.prefix(256))
        guard abs(first.count - second.count) <= limit else { return limit + 1 }
        var row = Array(0...second.count)
        for (i, byte) in first.enumerated() {
            var diagonal = row[0]
            row[0] = i + 1
            for (j, candidate) in second.enumerated() {
                let substituted = diagonal + (byte == candidate ? 0 : 1)
                diagonal = row[j + 1]
                row[j + 1] = min(substituted, row[j] + 1, row[j + 1] + 1)
            }
            if (row.min() ?? 0) > limit { return limit + 1 }
        }
        return min(row[second.count], limit + 1)
    }
}
