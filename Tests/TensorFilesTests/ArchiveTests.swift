import Foundation
import TensorFiles
import TestSupport
import Testing

@Suite struct ArchiveTests {
    @Test(arguments: [("gguf/stories260K-q4_0.gguf", 1), ("stories260K/model.safetensors", 4)])
    func unpackToWhatWasPacked(path: String, threads: Int) throws {
        let folder = try TestFiles.temporaryFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let original = try MappedFile(path: TestFiles.fixtures.appendingPathComponent(path).path)
        let target = folder.appendingPathComponent(original.name + ".zst").path
        try ZstdArchive.pack(original, to: target, threads: threads)
        let again = try ZstdArchive.unpack(MappedFile(path: target))
        #expect(again.withBytes { found in original.withBytes { found.elementsEqual($0) } })
        #expect(again.name == original.name)
        let checkpoint = try Checkpoint.open(target)
        #expect(try checkpoint.tensors.count == Checkpoint.open(original.path).tensors.count)
        #expect(try CheckpointCheck.run(folder.path).passed)

        var damaged = [UInt8](try Data(contentsOf: URL(fileURLWithPath: target)))
        damaged.removeLast(10)
        #expect(throws: TensorFileError.self) {
            try ZstdArchive.unpack(MappedFile(bytes: damaged, name: "cut.zst"))
        }
        damaged[damaged.count / 2] ^= 0x55
        #expect(throws: TensorFileError.self) {
            try ZstdArchive.unpack(MappedFile(bytes: damaged, name: "damaged.zst"))
        }
    }

    @Test func packingDoesNotDependOnThreads() throws {
        let folder = try TestFiles.temporaryFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let original = try MappedFile(
            path: TestFiles.fixtures.appendingPathComponent("stories260K/model.safetensors").path)
        var packed: [Data] = []
        for threads in [1, 3] {
            let target = folder.appendingPathComponent("\(threads).zst")
            try ZstdArchive.pack(original, to: target.path, threads: threads)
            packed.append(try Data(contentsOf: target))
        }
        #expect(packed[0] == packed[1])
    }

    @Test func writersCompress() throws {
        let folder = try TestFiles.temporaryFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let tensors = CheckpointWriterTests.samples()
        let plan = try CheckpointWriterTests.plan(.safetensors, tensors, shard: 50_000)
        try CheckpointWriterTests.write(plan, tensors, to: folder, options: .init(compression: 3))
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
        #expect(
            names.count { $0.hasSuffix(".safetensors.zst") } == plan.files.count
                && names.count == plan.files.count + 1)
        let check = try CheckpointCheck.run(folder.path)
        // The samples are noise, so some of their elements are not numbers.
        #expect(check.problems.allSatisfy { $0.rule == .notANumber || $0.rule == .infinite })
        #expect(check.verifiedDigests == tensors.count)
    }
}
