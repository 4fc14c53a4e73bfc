import Foundation

/// What the system says of its memory.
public enum MachineMemory {
    /// Bytes that can be taken without swapping; `Int.max` where the system does not tell.
    public static var available: Int { value("MemAvailable", in: "/proc/meminfo").map { $0 * 1024 } ?? .max }

    /// The most that this process has held at once, in bytes.
    public static var peak: Int { value("VmHWM", in: "/proc/self/status").map { $0 * 1024 } ?? 0 }

    /// Makes `peak` start again from what the process holds now; `false` where the system does not allow it.
    public static func resetPeak() -> Bool {
        guard let file = FileHandle(forWritingAtPath: "/proc/self/clear_refs") else { return false }
        defer { try? file.close() }
        return (try? file.write(contentsOf: Data("5".utf8))) != nil
    }

    private static func value(_ key: String, in path: String) -> Int? {
        guard let text = try? String(contentsOfFile: path, encoding: .utf8) else { return nil }
        for line in text.split(separator: "\n") where line.hasPrefix(key + ":") {
            return Int(line.dropFirst(key.count + 1).filter(\.isNumber))
        }
        return nil
    }
}
