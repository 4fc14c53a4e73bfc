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
    guard let document = try? JSONDocument(MappedFile(bytes: bytes, name: "input")) else { return 0 }
    var nodes = [document.root]
    while let node = nodes.popLast() {
        _ = (node.string, node.int, node.double, node.bool)
        nodes += node.elements
        nodes += node.members.map(\.value)
        _ = node.members.reduce(0) { $0 + $1.key.utf8.count }
    }
    return 0
}
