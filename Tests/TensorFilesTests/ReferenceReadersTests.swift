import Foundation
import TensorFiles
import TestSupport
import Testing

/// The reference readers load what we write, with digests too. Needs Python 3 (`FORETOKEN_PYTHON`, or `python3`) with
/// numpy, safetensors and gguf.
@Suite struct ReferenceReadersTests {
    static let python = ProcessInfo.processInfo.environment["FORETOKEN_PYTHON"] ?? "python3"

    /// Runs a script; `nil` when it cannot be started.
    static func run(_ script: String, _ arguments: [String]) -> (status: Int32, output: String)? {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [python, "-c", script] + arguments
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = pipe
        guard (try? process.run()) != nil else { return nil }
        let output = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return (process.terminationStatus, String(decoding: output, as: UTF8.self))
    }

    static let isAvailable = run("import numpy, safetensors, gguf", [])?.status == 0

    static let script = """
        import hashlib, os, sys
        from gguf import GGUFReader
        from safetensors import deserialize
        found = {}
        for name in sorted(os.listdir(sys.argv[1])):
            path = os.path.join(sys.argv[1], name)
            if name.endswith(".gguf"):
                for tensor in GGUFReader(path).tensors:
                    shape = list(map(int, reversed(tensor.shape)))
                    found[tensor.name] = (shape, hashlib.sha256(tensor.data.tobytes()).hexdigest())
            elif name.endswith(".safetensors"):
                for tensor, info in deserialize(open(path, "rb").read()):
                    found[tensor] = (list(info["shape"]), hashlib.sha256(bytes(info["data"])).hexdigest())
        for tensor in sorted(found):
            print(tensor, *found[tensor][0], found[tensor][1])
        """

    @Test(
        .enabled(
            if: isAvailable,
            "Python packages numpy, safetensors and gguf are absent; golden bytes are compared all the same"),
        arguments: CheckpointWriterTests.cases)
    func loadWhatWeWrite(format: Checkpoint.Format, digests: Bool, shard: Int?) throws {
        let folder = try TestFiles.temporaryFolder()
        let input = try TestFiles.temporaryFolder()
        defer {
            try? FileManager.default.removeItem(at: folder)
            try? FileManager.default.removeItem(at: input)
        }
        // gguf-py has no scalars and no tensors without elements.
        let tensors = CheckpointWriterTests.samples().filter { $0.elementCount > 1 }
        try CheckpointWriterTests.write(
            try CheckpointWriterTests.plan(format, tensors, digests: digests, shard: shard), tensors, to: folder)
        // The same tensors each in a file without digests, which golden bytes vouch for, read by the same script.
        for (number, tensor) in tensors.enumerated() {
            let alone = try OutputPlan.safetensors(
                [TensorDeclaration(tensor)], name: "\(number).safetensors", digests: false)
            try CheckpointWriterTests.write(alone, [tensor], to: input)
        }
        let found = try #require(Self.run(Self.script, [folder.path]))
        let expected = try #require(Self.run(Self.script, [input.path]))
        #expect(found.status == 0 && expected.status == 0, "\(found.output)")
        #expect(found.output == expected.output)
        #expect(found.output.split(separator: "\n").count == tensors.count)
    }
}
