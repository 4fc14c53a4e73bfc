import Conversion
import Foundation
import ModelGraph
import Synchronization
import TensorFiles
import TestSupport
import Testing

@Suite struct ConversionTests {
    static var model: String { TestFiles.fixtures.appendingPathComponent("stories260K").path }

    static func inFolder<Result>(_ body: (URL) throws -> Result) throws -> Result {
        let folder = try TestFiles.temporaryFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        return try body(folder)
    }

    static func plan(
        _ model: String, _ output: String, _ type: TypeChoice = .kept, shard: Int? = nil
    ) throws -> (plan: ConversionPlan, folder: String) {
        var request = ConversionRequest(model: model, output: output)
        request.types = type
        request.maximumShardSize = shard
        return try request.planned()
    }

    static func convert(
        _ model: String, to output: URL, _ type: TypeChoice = .kept, threads: Int = 2, budget: Int = 96 << 20
    ) throws {
        let (plan, folder) = try plan(model, output.path, type)
        try ConversionEngine(.init(threads: threads, memoryBudget: budget)).run(plan, folder: folder)
    }

    static func bytes(_ url: URL) throws -> Data { try Data(contentsOf: url) }

    /// CV-01; the fixtures were made with the reference writer and quantizer.
    @Test(arguments: [("f16", ElementType.f16), ("q8_0", .q8_0), ("q4_0", .q4_0)])
    func tensorsAreTheReferences(name: String, type: ElementType) throws {
        try Self.inFolder { folder in
            let output = folder.appendingPathComponent("model.gguf")
            try Self.convert(Self.model, to: output, .uniform(type))
            let ours = try Checkpoint.open(output.path)
            let reference = try Checkpoint.open(
                TestFiles.fixtures.appendingPathComponent("gguf/stories260K-\(name).gguf").path)
            #expect(Set(ours.tensors.map(\.name)) == Set(reference.tensors.map(\.name)))
            for tensor in reference.tensors {
                let own = try #require(ours[tensor.name])
                #expect(own.type == tensor.type && own.shape == tensor.shape)
                #expect(try own.digest() == tensor.digest(), "\(tensor.name)")
            }
        }
    }

    @Test func bytesDoNotDependOnThreadsOrBudget() throws {
        try Self.inFolder { folder in
            var files: [Data] = []
            for (threads, budget) in [(1, 96 << 20), (2, 1 << 18), (5, 1 << 16)] {
                let output = folder.appendingPathComponent("\(threads)/model.gguf")
                try Self.convert(Self.model, to: output, .uniform(.q8_0), threads: threads, budget: budget)
                files.append(try Self.bytes(output))
            }
            #expect(files[0] == files[1] && files[0] == files[2])
        }
    }

    @Test func hubToGGUFAndBackIsTheSameToTheBit() throws {
        try Self.inFolder { folder in
            let file = folder.appendingPathComponent("model.gguf")
            let back = folder.appendingPathComponent("back")
            try Self.convert(Self.model, to: file, .uniform(.f32))
            try Self.convert(file.path, to: back)
            try Self.expectSameTensors(Self.model, back.path)
            #expect(
                try Self.bytes(back.appendingPathComponent("config.json")).isSameJSON(
                    as: Self.bytes(URL(fileURLWithPath: Self.model).appendingPathComponent("config.json"))))
            let original = try ModelGraph.open(Self.model)
            #expect(try ModelGraph.open(file.path).sourceDigest() == original.sourceDigest())
            #expect(try ModelGraph.open(back.path).sourceDigest() == original.sourceDigest())
        }
    }

    static func expectSameTensors(_ one: String, _ other: String) throws {
        let (one, other) = (try Checkpoint.open(one), try Checkpoint.open(other))
        #expect(Set(one.tensors.map(\.name)) == Set(other.tensors.map(\.name)))
        for tensor in one.tensors {
            let twin = try #require(other[tensor.name])
            #expect(twin.type == tensor.type && twin.shape == tensor.shape)
            #expect(try twin.digest() == tensor.digest(), "\(tensor.name)")
        }
    }

    @Test func shardsHoldTheSameTensors() throws {
        try Self.inFolder { folder in
            let sharded = folder.appendingPathComponent("sharded")
            let (plan, place) = try Self.plan(Self.model, sharded.path, shard: 300_000)
            #expect(plan.output.files.count > 2)
            try ConversionEngine(.init(threads: 2)).run(plan, folder: place)
            try Self.expectSameTensors(Self.model, sharded.path)
        }
    }

    @Test(arguments: ["model.gguf", "folder"]) func partsJoinToTheBytesOfOneRun(name: String) throws {
        try Self.inFolder { folder in
            let engine = ConversionEngine(.init(threads: 2))
            let (whole, place) = try Self.plan(Self.model, folder.appendingPathComponent(name).path, .uniform(.f16))
            try engine.run(whole, folder: place)
            var parts: [String] = []
            for number in [3, 1, 2] {
                let part = try whole.part(number, of: 3, name: "part-\(number)")
                try engine.run(part, folder: folder.path)
                parts.append(folder.appendingPathComponent("part-\(number)").path)
            }
            let join = try JoinPlan(parts)
            #expect(join.isGGUF == name.hasSuffix(".gguf"))
            let joined = folder.appendingPathComponent("joined")
            try engine.run(join.plan(name: join.isGGUF ? name : nil), folder: joined.path)
            let original = join.isGGUF ? folder : folder.appendingPathComponent(name)
            for file in whole.output.files.map(\.name) + whole.output.sideFiles.map(\.name) {
                #expect(
                    try Self.bytes(joined.appendingPathComponent(file))
                        == Self.bytes(original.appendingPathComponent(file)), "\(file)")
            }
            #expect(throws: ConversionError.self) { try JoinPlan(Array(parts.dropLast())) }
            #expect(throws: ConversionError.self) { try JoinPlan(parts + [parts[0]]) }
            let other = try Self.plan(Self.model, folder.appendingPathComponent("x.gguf").path, .uniform(.f32)).plan
            try engine.run(other.part(2, of: 3, name: "other"), folder: folder.path)
            #expect(throws: ConversionError.self) {
                try JoinPlan([parts[0], parts[1], folder.appendingPathComponent("other").path])
            }
        }
    }

    private struct Interruption: Error {}

    /// Stops at each tensor in turn, goes on, and compares with a run that nobody stopped.
    @Test(arguments: [0, 1, 7, 46]) func aResumedRunWritesTheSameBytes(stop: Int) throws {
        try Self.inFolder { folder in
            let engine = ConversionEngine(.init(threads: 2))
            let (plan, place) = try Self.plan(
                Self.model, folder.appendingPathComponent("a.gguf").path, .uniform(.q8_0))
            var broken = plan
            let index = plan.output.writingOrder[stop]
            let entry = plan.entries[index]
            broken.entries[index] = .init(
                entry.declaration, role: entry.role,
                rows: .made(preparationBytes: 0, rowBytes: 0, prepare: { { _ in throw Interruption() } }),
                sourceType: entry.sourceType, sourceByteCount: entry.sourceByteCount, fate: entry.fate)
            #expect(throws: Interruption.self) { try engine.run(broken, folder: place) }
            let output = folder.appendingPathComponent("a.gguf")
            #expect(!FileManager.default.fileExists(atPath: output.path))
            try ConversionEngine(.init(threads: 2, resumes: true)).run(plan, folder: place)
            let (straight, other) = try Self.plan(
                Self.model, folder.appendingPathComponent("b/a.gguf").path, .uniform(.q8_0))
            try engine.run(straight, folder: other)
            #expect(try Self.bytes(output) == Self.bytes(folder.appendingPathComponent("b/a.gguf")))
        }
    }

    @Test func preparationHappensOncePerTensor() throws {
        try Self.inFolder { folder in
            let (plan, place) = try Self.plan(
                Self.model, folder.appendingPathComponent("a.gguf").path, .uniform(.q8_0))
            let prepared = Mutex<[String: Int]>([:])
            var counting = plan
            for (index, entry) in plan.entries.enumerated() {
                guard case .made(let bytes, let rowBytes, let prepare) = entry.rows else { continue }
                let name = entry.declaration.name
                counting.entries[index] = .init(
                    entry.declaration, role: entry.role,
                    rows: .made(preparationBytes: bytes, rowBytes: rowBytes) {
                        prepared.withLock { $0[name, default: 0] += 1 }
                        return try prepare()
                    }, sourceType: entry.sourceType, sourceByteCount: entry.sourceByteCount, fate: entry.fate)
            }
            try ConversionEngine(.init(threads: 3, memoryBudget: 1 << 16)).run(counting, folder: place)
            prepared.withLock { counts in
                #expect(!counts.isEmpty && counts.values.allSatisfy { $0 == 1 })
            }
        }
    }

    /// 2^-30 + 1 is 1 in single precision: such a norm of Gemma's is kept beside.
    @Test(.enabled(if: TestFiles.hasShared, "shared oracles are absent"))
    func normsThatTheirOffsetWouldSwallowComeBack() throws {
        try Self.inFolder { folder in
            let source = TestFiles.shared("oracles/gemma2")
            let model = folder.appendingPathComponent("model")
            try FileManager.default.createDirectory(at: model, withIntermediateDirectories: true)
            for name in ["config.json", "tokenizer.json", "tokenizer_config.json"] {
                try FileManager.default.copyItem(
                    at: source.appendingPathComponent(name), to: model.appendingPathComponent(name))
            }
            var data = try Data(contentsOf: source.appendingPathComponent("model.safetensors"))
            let header = data.prefix(8).enumerated().reduce(0) { $0 | Int($1.element) << (8 * $1.offset) }
            let text = String(decoding: data[8..<8 + header], as: UTF8.self)
            let json = try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: [String: Any]]
            let offsets = try #require(json?["model.norm.weight"]?["data_offsets"] as? [Int])
            data[8 + header + offsets[0]] = 0x80
            data[8 + header + offsets[0] + 1] = 0x30
            try data.write(to: model.appendingPathComponent("model.safetensors"))
            let file = folder.appendingPathComponent("model.gguf")
            let back = folder.appendingPathComponent("back")
            try Self.convert(model.path, to: file)
            try Self.convert(file.path, to: back)
            try Self.expectSameTensors(model.path, back.path)
        }
    }

    @Test func anOutputThatExistsStays() throws {
        try Self.inFolder { folder in
            let output = folder.appendingPathComponent("model.gguf")
            try Data("mine".utf8).write(to: output)
            #expect(throws: TensorFileError.self) { try Self.convert(Self.model, to: output) }
            #expect(try Self.bytes(output) == Data("mine".utf8))
        }
    }

    @Test(
        .enabled(if: TestFiles.hasShared, "shared oracles are absent"),
        arguments: ["llama", "llama3", "mistral", "qwen2", "qwen3", "gemma2", "gemma3", "phi3", "olmo2"])
    func oraclesSurviveTheTripThroughGGUF(name: String) throws {
        try Self.inFolder { folder in
            let source = TestFiles.shared("oracles/\(name)").path
            let file = folder.appendingPathComponent("model.gguf")
            let back = folder.appendingPathComponent("back")
            try Self.convert(source, to: file)
            #expect(try ModelGraph.open(file.path).configuration.family == name.replacing("llama3", with: "llama"))
            try Self.convert(file.path, to: back)
            let (one, other) = (try ModelGraph.open(source), try ModelGraph.open(back.path))
            #expect(one.configuration == other.configuration)
            for role in one.roles {
                #expect(one.tensors[role]?.type == other.tensors[role]?.type)
                #expect(try one.tensors[role]?.digest() == other.tensors[role]?.digest(), "\(role)")
            }
        }
    }

    @Test(.enabled(if: TestFiles.hasShared, "shared configurations are absent"))
    func planningNeedsNoWeights() throws {
        let folder = TestFiles.shared("data/configs/hub")
        let plannable = [
            "cogito-qwen2.5-14b": 29_531_895_808, "devstral-small-2507": 47_144_806_400,
            "llama-3.2-3b-resharded": 6_425_499_648, "phi-3-mini-merge": 7_642_159_104, "qwen3-1.7b": 3_441_149_952,
            "qwen3-14b-mlx-4bit": 0,
        ]
        for name in try FileManager.default.contentsOfDirectory(atPath: folder.path) {
            var request = ConversionRequest(model: folder.appendingPathComponent(name).path, output: "/tmp/x.gguf")
            request.isDryRun = true
            guard let size = plannable[name] else {
                #expect(throws: ModelError.self) { try request.planned() }
                continue
            }
            let plan = try request.planned().plan
            #expect(plan.output.byteCount > 0)
            // The index states the bytes of all tensors: the shape rules must come to the same.
            if size > 0 { #expect(plan.entries.reduce(0) { $0 + $1.sourceByteCount } >= size, "\(name)") }
        }
    }
}

extension Data {
    fileprivate func isSameJSON(as other: Data) -> Bool {
        let one = try? JSONSerialization.jsonObject(with: self) as? NSDictionary
        let two = try? JSONSerialization.jsonObject(with: other) as? NSDictionary
        return one != nil && one == two
    }
}
