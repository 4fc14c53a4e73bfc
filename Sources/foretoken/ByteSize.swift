import ArgumentParser
import Foundation

/// A number of bytes as people write it: `1500000`, `3.9GiB`, `512 MB`, `64k`.
struct ByteSize: ExpressibleByArgument, Hashable {
    let bytes: Int

    init(_ bytes: Int) { self.bytes = bytes }

    init?(argument: String) {
        let text = argument.filter { $0 != " " && $0 != "_" }.lowercased()
        let digits = text.prefix { $0.isNumber || $0 == "." }
        let factors: [String: Double] = [
            "": 1, "b": 1, "k": 1024, "kb": 1e3, "kib": 1024, "m": 1_048_576, "mb": 1e6, "mib": 1_048_576,
            "g": 1_073_741_824, "gb": 1e9, "gib": 1_073_741_824, "t": 1_099_511_627_776, "tb": 1e12,
            "tib": 1_099_511_627_776,
        ]
        guard let number = Double(digits), let factor = factors[String(text.dropFirst(digits.count))],
            number >= 0, number * factor < 9e18
        else { return nil }
        bytes = Int((number * factor).rounded())
    }

    static func text(_ bytes: Int) -> String {
        let units = ["B", "KiB", "MiB", "GiB", "TiB"]
        var value = Double(bytes)
        var unit = 0
        while value >= 1024, unit < units.count - 1 {
            value /= 1024
            unit += 1
        }
        return unit == 0 ? "\(bytes) B" : String(format: "%.2f %@", value, units[unit])
    }
}
