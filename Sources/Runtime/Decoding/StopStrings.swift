/// Watches a growing text for strings that end it.
///
/// Text that may be the beginning of a stop string is held back, so that what was released never has to be taken back.
package struct StopStrings {
    private let stops: [[UInt8]]
    private var held: [UInt8] = []
    package private(set) var stopped = false

    package init(_ stops: [String]) { self.stops = stops.map { Array($0.utf8) }.filter { !$0.isEmpty } }

    /// The bytes that may be shown now that `bytes` have come; sets `stopped` when a stop string is complete, which
    /// is not shown itself.
    package mutating func release(_ bytes: [UInt8]) -> [UInt8] {
        guard !stopped else { return [] }
        held += bytes
        var earliest: Int?
        for stop in stops {
            if let index = Self.index(of: stop, in: held), index < earliest ?? .max { earliest = index }
        }
        if let earliest {
            stopped = true
            let shown = Array(held[..<earliest])
            held = []
            return shown
        }
        var kept = 0
        for stop in stops {
            for length in stride(from: min(stop.count - 1, held.count), to: kept, by: -1)
            where held.suffix(length).elementsEqual(stop.prefix(length)) {
                kept = length
                break
            }
        }
        let shown = Array(held.dropLast(kept))
        held.removeFirst(shown.count)
        return shown
    }

    /// What is still held back when no more comes.
    package mutating func finish() -> [UInt8] {
        defer { held = [] }
        return held
    }

    private static func index(of pattern: [UInt8], in text: [UInt8]) -> Int? {
        guard text.count >= pattern.count else { return nil }
        return (0...(text.count - pattern.count)).first { text[$0..<$0 + pattern.count].elementsEqual(pattern) }
    }
}
