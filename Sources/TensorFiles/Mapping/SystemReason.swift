import Glibc

/// The operating system's own words for what went wrong.
enum SystemReason {
    static var last: String { text(errno) }

    static func text(_ number: Int32) -> String {
        var buffer = [CChar](repeating: 0, count: 256)
        guard unsafe strerror_r(number, &buffer, buffer.count) == 0 else { return "error \(number)" }
        let message = String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return message.prefix(1).lowercased() + message.dropFirst()
    }
}
