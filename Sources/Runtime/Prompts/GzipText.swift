import CZlib
import Foundation

/// A file's bytes, decompressed when it is gzip (RFC 1952).
enum GzipText {
    /// - Parameter limit: bytes after which a file is refused, so that a small file cannot fill the memory.
    static func read(_ url: URL, limit: Int = 1 << 30) throws -> Data {
        guard let file = unsafe gzopen(url.path, "rb") else {
            throw RuntimeError.promptFile(path: url.path, line: nil, "cannot be opened")
        }
        defer { unsafe gzclose(file) }
        var result = Data()
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = unsafe chunk.withUnsafeMutableBytes { bytes in
                unsafe gzread(file, bytes.baseAddress, UInt32(bytes.count))
            }
            guard count >= 0 else {
                throw RuntimeError.promptFile(path: url.path, line: nil, "is a damaged or truncated gzip file")
            }
            if count == 0 { break }
            result.append(contentsOf: chunk[..<Int(count)])
            guard result.count <= limit else {
                throw RuntimeError.promptFile(path: url.path, line: nil, "holds more than \(limit) bytes")
            }
        }
        // A file that ends inside its last member reads as a short one: only closing the stream tells.
        var code: Int32 = 0
        _ = unsafe gzerror(file, &code)
        guard code == Z_OK || code == Z_STREAM_END else {
            throw RuntimeError.promptFile(path: url.path, line: nil, "is a damaged or truncated gzip file")
        }
        return result
    }
}
