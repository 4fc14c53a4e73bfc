import Foundation
import TensorFiles
import TestSupport
import Testing

@Suite struct ShardsTests {
    /// A copy of a fixture folder that may be damaged.
    static func copy(_ name: String, _ body: (URL) throws -> Void) throws {
        let folder = try TestFiles.temporaryFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let copy = folder.appendingPathComponent("model")
        try FileManager.default.copyItem(at: TestFiles.fixtures.appendingPathComponent(name), to: copy)
        try body(copy)
    }

    static func rules(_ path: String) throws -> Set<Rule> {
        Set(try CheckpointCheck.run(path, contents: false).problems.map(\.rule))
    }

    @Test func partsOfASplitMustBeThereAndBelongTogether() throws {
        try Self.copy("golden") { folder in
            let first = folder.appendingPathComponent("split-00001-of-00003.gguf")
            let second = folder.appendingPathComponent("split-00002-of-00003.gguf")
            let third = folder.appendingPathComponent("split-00003-of-00003.gguf")
            #expect(try Checkpoint.open(first.path).tensors.count == 5)
            #expect(try Self.rules(second.path) == [.splitNotFirst])
            let bytes = try Data(contentsOf: second)
            try FileManager.default.removeItem(at: second)
            #expect(try Self.rules(first.path) == [.splitMissing, .splitTensorCount])
            try Data(contentsOf: third).write(to: second)
            #expect(try Self.rules(first.path) == [.splitCount, .splitTensorCount, .splitTensorTwice])
            try bytes.write(to: second)
            #expect(try Self.rules(first.path).isEmpty)
        }
    }

    @Test func shardsWithoutIndexMustBeComplete() throws {
        try Self.copy("sharded") { folder in
            try FileManager.default.removeItem(at: folder.appendingPathComponent("model.safetensors.index.json"))
            #expect(try Checkpoint.open(folder.path).tensors.count == 47)
            try FileManager.default.removeItem(
                at: folder.appendingPathComponent("model-00002-of-00003.safetensors"))
            #expect(try Self.rules(folder.path) == [.shardMissing])
        }
    }

    @Test func totalSizeIsOnlyANote() throws {
        try Self.copy("sharded") { folder in
            let index = folder.appendingPathComponent("model.safetensors.index.json")
            let text = try String(contentsOf: index, encoding: .utf8)
            try text.replacingOccurrences(of: "520064", with: "520065").write(
                to: index, atomically: true, encoding: .utf8)
            let check = try CheckpointCheck.run(folder.path)
            #expect(check.problems.map(\.rule) == [.totalSize] && check.passed)
        }
    }

    @Test func linksInsideTheFolderAreFollowed() throws {
        try Self.copy("sharded") { folder in
            let shard = folder.appendingPathComponent("model-00001-of-00003.safetensors")
            let blobs = folder.appendingPathComponent("blobs")
            try FileManager.default.createDirectory(at: blobs, withIntermediateDirectories: true)
            try FileManager.default.moveItem(at: shard, to: blobs.appendingPathComponent("a"))
            try FileManager.default.createSymbolicLink(atPath: shard.path, withDestinationPath: "blobs/a")
            #expect(try Self.rules(folder.path).isEmpty)
            try FileManager.default.moveItem(
                at: blobs, to: folder.deletingLastPathComponent().appendingPathComponent("blobs"))
            try FileManager.default.removeItem(at: shard)
            try FileManager.default.createSymbolicLink(atPath: shard.path, withDestinationPath: "../blobs/a")
            #expect(try Self.rules(folder.path) == [.indexLinkLeavesFolder])
        }
    }

    @Test func digestsTellADamagedByte() throws {
        for format in [Checkpoint.Format.gguf, .safetensors] {
            let folder = try TestFiles.temporaryFolder()
            defer { try? FileManager.default.removeItem(at: folder) }
            let checkpoint = try Checkpoint.open(TestFiles.fixtures.appendingPathComponent("sharded").path)
            let plan = try CheckpointWriterTests.plan(format, checkpoint.tensors)
            try CheckpointWriterTests.write(plan, checkpoint.tensors, to: folder)
            let clean = try CheckpointCheck.run(folder.path, threads: 3)
            #expect(clean.problems.isEmpty && clean.verifiedDigests == 47)
            let path = folder.appendingPathComponent(plan.files[0].name)
            var data = try Data(contentsOf: path)
            let victim = plan.files[0].tensors[7]
            data[victim.offset] ^= 1
            try data.write(to: path)
            let check = try CheckpointCheck.run(folder.path)
            #expect(check.problems.map(\.rule) == [.digestMismatch] && !check.passed)
            #expect(check.problems[0].tensor == victim.declaration.name)
            data.replaceSubrange(
                data.firstRange(of: Data("foretoken.digest".utf8))!, with: Data("foretoken.digesT".utf8))
            try data.write(to: path)
            #expect(try CheckpointCheck.run(folder.path).verifiedDigests == 0)
        }
    }
}
