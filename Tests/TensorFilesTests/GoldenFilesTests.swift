import Foundation
import TensorFiles
import TestSupport
import Testing

/// What the reference writers wrote, read and written again, has the same bytes.
@Suite struct GoldenFilesTests {
    static func rewrite(_ checkpoint: Checkpoint, shard: Int? = nil) throws -> [(name: String, bytes: Data)] {
        let folder = try TestFiles.temporaryFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let declarations = checkpoint.tensors.map { TensorDeclaration($0) }
        let name = URL(fileURLWithPath: checkpoint.path).lastPathComponent
        let plan =
            switch checkpoint.format {
            case .gguf:
                try OutputPlan.gguf(
                    declarations, metadata: checkpoint.gguf ?? [:],
                    name: name.replacingOccurrences(of: "-00001-of-0000\(checkpoint.files.count)", with: ""),
                    maximumShardSize: shard, digests: false)
            case .safetensors:
                try OutputPlan.safetensors(
                    declarations, metadata: checkpoint.files[0].metadata,
                    name: checkpoint.files.count > 1 ? "model.safetensors" : name, maximumShardSize: shard,
                    digests: false)
            }
        try CheckpointWriterTests.write(plan, checkpoint.tensors, to: folder)
        return try (plan.files.map(\.name) + plan.sideFiles.map(\.name)).map {
            ($0, try Data(contentsOf: folder.appendingPathComponent($0)))
        }
    }

    static let files: [(String, Int?)] = [
        ("golden/types.safetensors", nil), ("golden/empty.safetensors", nil), ("golden/types.gguf", nil),
        ("golden/keys.gguf", nil), ("golden/no-tensors.gguf", nil), ("golden/split-00001-of-00003.gguf", 136),
        ("stories260K/model.safetensors", nil), ("sharded", 200_000), ("gguf/stories260K-f16.gguf", nil),
        ("gguf/stories260K-q8_0.gguf", nil), ("gguf/stories260K-q4_0.gguf", nil),
        ("gguf/stories260K-q5_1-split-00001-of-00004.gguf", 90_000),
    ]

    @Test(arguments: files) func areWrittenAgainToTheByte(path: String, shard: Int?) throws {
        let original = TestFiles.fixtures.appendingPathComponent(path)
        let checkpoint = try Checkpoint.open(original.path)
        for (name, bytes) in try Self.rewrite(checkpoint, shard: shard) {
            let folder = URL(fileURLWithPath: checkpoint.folder)
            #expect(try Data(contentsOf: folder.appendingPathComponent(name)) == bytes, "\(name) differs")
        }
    }

    @Test(arguments: files) func areSound(path: String, shard: Int?) throws {
        let check = try CheckpointCheck.run(
            TestFiles.fixtures.appendingPathComponent(path).path, contents: !path.hasPrefix("golden"))
        #expect(check.problems.isEmpty)
    }

    @Test func keysOfEveryKindAreRead() throws {
        let file = try GGUFFile(path: TestFiles.fixtures.appendingPathComponent("golden/keys.gguf").path)
        let keys = file.metadata
        #expect(keys["k.u8"] == .uint8(200) && keys["k.i8"] == .int8(-100))
        #expect(keys["k.u16"] == .uint16(60000) && keys["k.i16"] == .int16(-30000))
        #expect(keys["k.u32"] == .uint32(4_000_000_000) && keys["k.i32"] == .int32(-2_000_000_000))
        #expect(keys["k.u64"] == .uint64(1 << 63) && keys["k.i64"] == .int64(.min))
        #expect(keys["k.u64"]?.int == nil && keys["k.i64"]?.int == .min)
        #expect(keys["k.f32"] == .float32(0.1) && keys["k.f64"] == .float64(0.1))
        #expect(keys["k.true"]?.bool == true && keys["k.false"]?.bool == false)
        #expect(keys["k.string"]?.string == "żółw 🐢\n\0end")
        #expect(keys.alignment == 64 && file.dataStart % 64 == 0)
        #expect(keys["k.array.string"]?.array?.strings == ["a", "", "ż"])
        #expect(keys["k.array.bool"]?.array?.bools == [true, false])
        #expect(keys["k.array.int64"]?.array?.integers == [.min, .max])
        #expect(keys["k.array.uint64"]?.array?.integers == nil)
        #expect(keys["k.array.float32"]?.array?.doubles == [0.5, -1.25])
        #expect(keys["k.array.int8"]?.array?.integers == [-128, 127])
        #expect(file.tensors.map(\.shape) == [[3], [1, 2, 3, 4], [0, 32]])
    }
}
