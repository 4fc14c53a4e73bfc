import Foundation

/// What the system says of its memory.
public enum MachineMemory {
    /// Bytes that can be taken without swapping; `Int.max` where the system does not tell.
    public static var available: Int { value("MemAvailable", in: "/proc/meminfo").map { $0 * 1024 } ?? .max }

    /// The most that this process has held at once, in bytes.
    public static var peak: Int { value("VmHWM", in: "/proc/self/status").map { $0 * 1024 } ?? 0 }

    private static func value(_ key: String, in path: String) -> Int? {
        guard let text = try? String(contentsOfFile: path, encoding: .utf8) else { return nil }
        for line in text.split(separator: "\n") where line.hasPrefix(key + ":") {
            return Int(line.dropFirst(key.count + 1).filter(\.isNumber))
        }
        return nil
    }
}
