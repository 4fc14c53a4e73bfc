import CFuzzer
import TensorFiles

@main struct Target {
    static func main() {
        var count = CommandLine.argc
        var arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = unsafe CommandLine.unsafeArgv
        _ = unsafe LLVMFuzzerRunDriver(&count, &arguments) { start, count in unsafe read(start, count) }
    }
}

/// One input.
private func read(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = unsafe [UInt8](UnsafeBufferPointer(start: start, count: count))
    guard let opened = try? SafetensorsFile(MappedFile(bytes: bytes, name: "input")) else { return 0 }
    for tensor in opened.tensors where tensor.rowCount > 0 {
        try? tensor.withBytes(rows: tensor.rowCount - 1..<tensor.rowCount) { bytes in
            var scan = ContentScan(tensor.type)
            scan.scan(bytes)
        }
    }
    return 0
}
