import Foundation
import TensorFiles
import TestSupport
import Testing

@Suite struct CheckpointWriterTests {
    /// Tensors whose bytes follow from their position.
    static func samples() -> [Tensor] {
        let shapes: [(String, [Int], ElementType)] = [
            ("blk.0.ffn_up.weight", [64, 256], .f16), ("output_norm.weight", [256], .f32),
            ("token_embd.weight", [300, 1024], .f32), ("scalar", [], .f32), ("empty", [0, 32], .f16),
            ("blk.0.attn_q.weight", [32, 64], .bf16), ("ids", [17], .i64), ("small", [3], .i8),
        ]
        return shapes.enumerated().map { index, entry in
            let count = entry.1.reduce(1, *) * entry.2.block.bytes
            let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ index &* 7 &+ $0 / 251) }
            return Tensor(name: entry.0, shape: entry.1, type: entry.2, source: MemorySource(bytes))!
        }
    }

    static func plan(
        _ format: Checkpoint.Format, _ tensors: [Tensor], digests: Bool = true, shard: Int? = nil
    ) throws -> OutputPlan {
        let declarations = tensors.map { TensorDeclaration($0) }
        switch format {
        case .safetensors:
            return try .safetensors(
                declarations, metadata: [("format", "pt")], maximumShardSize: shard, digests: digests)
        case .gguf:
            let metadata: GGUFMetadata = [
                "general.architecture": .string("llama"), "tokenizer.ggml.tokens": .array(GGUFArray(["a", "ż"])),
            ]
            return try .gguf(declarations, metadata: metadata, maximumShardSize: shard, digests: digests)
        }
    }

    static func write(
        _ plan: OutputPlan, _ tensors: [Tensor], to folder: URL, options: CheckpointWriter.Options = .init(),
        stopAfter limit: Int = .max
    ) throws {
        let writer = try CheckpointWriter(plan, folder: folder.path, options: options)
        for index in plan.writingOrder.dropFirst(writer.completedTensors) {
            guard writer.completedTensors < limit else { return }
            try writer.write(tensors[index])
        }
        try writer.finish()
    }

    static func bytes(_ tensor: Tensor) throws -> [UInt8] {
        try tensor.withBytes(rows: 0..<tensor.rowCount) { $0.copied() }
    }

    static let cases: [(Checkpoint.Format, Bool, Int?)] = [
        (.safetensors, true, nil), (.safetensors, false, nil), (.safetensors, true, 50_000), (.gguf, true, nil),
        (.gguf, false, nil), (.gguf, true, 50_000),
    ]

    @Test(arguments: cases) func readsBackWhatItWrote(format: Checkpoint.Format, digests: Bool, shard: Int?) throws {
        let folder = try TestFiles.temporaryFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let tensors = Self.samples()
        let plan = try Self.plan(format, tensors, digests: digests, shard: shard)
        try Self.write(plan, tensors, to: folder)
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
        #expect(names == (plan.files.map(\.name) + plan.sideFiles.map(\.name)).sorted())
        let sizes = try names.map { name in
            let attributes = try FileManager.default.attributesOfItem(
                atPath: folder.appendingPathComponent(name).path)
            return try #require(attributes[.size] as? Int)
        }
        #expect(sizes.reduce(0, +) == plan.byteCount)
        let checkpoint = try Checkpoint.open(folder.path)
        #expect(checkpoint.tensors.count == tensors.count)
        #expect(checkpoint.files.count == plan.files.count)
        for tensor in tensors {
            let found = try #require(checkpoint[tensor.name])
            #expect(found.shape == tensor.shape && found.type == tensor.type)
            #expect(try Self.bytes(found) == Self.bytes(tensor))
        }
    }

    @Test(arguments: cases) func resumesToTheSameBytes(format: Checkpoint.Format, digests: Bool, shard: Int?) throws {
        let folder = try TestFiles.temporaryFolder()
        let whole = try TestFiles.temporaryFolder()
        defer {
            try? FileManager.default.removeItem(at: folder)
            try? FileManager.default.removeItem(at: whole)
        }
        let tensors = Self.samples()
        let plan = try Self.plan(format, tensors, digests: digests, shard: shard)
        try Self.write(plan, tensors, to: whole)
        for limit in 1..<tensors.count {
            try Self.write(plan, tensors, to: folder, options: .init(resumes: limit > 1), stopAfter: limit)
        }
        let writer = try CheckpointWriter(plan, folder: folder.path, options: .init(resumes: true))
        #expect(writer.completedTensors == tensors.count - 1)
        try writer.write(tensors[plan.writingOrder[tensors.count - 1]])
        // Interrupted between two renames.
        let first = folder.appendingPathComponent(plan.files[0].name)
        try FileManager.default.moveItem(at: first.appendingPathExtension("partial"), to: first)
        _ = consume writer
        let last = try CheckpointWriter(plan, folder: folder.path, options: .init(resumes: true))
        #expect(last.completedTensors == tensors.count)
        try last.finish()
        for name in plan.files.map(\.name) + plan.sideFiles.map(\.name) {
            let one = try Data(contentsOf: whole.appendingPathComponent(name))
            let other = try Data(contentsOf: folder.appendingPathComponent(name))
            #expect(one == other)
        }
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: folder.path).count == plan.files.count
                + plan.sideFiles.count)
    }

    @Test func resumingDistrustsDamagedPartialFiles() throws {
        let folder = try TestFiles.temporaryFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let tensors = Self.samples()
        let plan = try Self.plan(.gguf, tensors)
        try Self.write(plan, tensors, to: folder, stopAfter: 4)
        let partial = folder.appendingPathComponent("model.gguf.partial")
        var data = try Data(contentsOf: partial)
        data[plan.files[0].tensors[2].offset + 5] ^= 1
        try data.write(to: partial)
        let writer = try CheckpointWriter(plan, folder: folder.path, options: .init(resumes: true))
        #expect(writer.completedTensors == 2)
    }

    @Test func refusesToReplaceOrResumeSomethingElse() throws {
        let folder = try TestFiles.temporaryFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let tensors = Self.samples()
        let plan = try Self.plan(.gguf, tensors)
        let target = folder.appendingPathComponent("model.gguf")
        try Self.write(plan, tensors, to: folder, stopAfter: 2)
        #expect(throws: TensorFileError.self) {
            try CheckpointWriter(plan, folder: folder.path, options: .init(resumes: true, identity: "other"))
        }
        try Self.write(plan, tensors, to: folder)
        let before = try Data(contentsOf: target)
        #expect(throws: TensorFileError.exists(file: target.path)) {
            try CheckpointWriter(plan, folder: folder.path)
        }
        #expect(try Data(contentsOf: target) == before)
        try Self.write(plan, tensors, to: folder, options: .init(overwrites: true))
        #expect(try Data(contentsOf: target) == before)
    }

    @Test func twoWritersDoNotMeet() throws {
        let folder = try TestFiles.temporaryFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let plan = try Self.plan(.gguf, Self.samples())
        let writer = try CheckpointWriter(plan, folder: folder.path)
        #expect(throws: TensorFileError.inUse(file: folder.appendingPathComponent("model.gguf.partial.journal").path))
        {
            try CheckpointWriter(plan, folder: folder.path)
        }
        writer.discard()
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty)
    }

    @Test func knowsWhatAFormatCannotHold() throws {
        let block = try TensorDeclaration(name: "t", shape: [2, 256], type: .q4_K)
        #expect(throws: TensorFileError.self) { try OutputPlan.safetensors([block]) }
        let half = try TensorDeclaration(name: "t", shape: [2, 256], type: .f8E4M3)
        #expect(throws: TensorFileError.self) { try OutputPlan.gguf([half], metadata: [:]) }
        let deep = try TensorDeclaration(name: "t", shape: [1, 1, 1, 1, 1], type: .f32)
        #expect(throws: TensorFileError.self) { try OutputPlan.gguf([deep], metadata: [:]) }
        let long = try TensorDeclaration(name: String(repeating: "n", count: 64), shape: [1], type: .f32)
        #expect(throws: TensorFileError.self) { try OutputPlan.gguf([long], metadata: [:]) }
        #expect(throws: TensorFileError.self) { try OutputPlan.safetensors([long, long]) }
        #expect(throws: TensorFileError.self) { try TensorDeclaration(name: "t", shape: [255], type: .q4_K) }
    }
}
