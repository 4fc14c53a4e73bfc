import Conversion
import Foundation
import Kernels
import ModelGraph
import Quantization
import TensorFiles
import TestSupport
import Testing

/// Quantized Hub directories: what is written is read back as what was chosen (formats/quantized-safetensors.md).
@Suite struct HubLayoutTests {
    static let pycode = TestFiles.fixtures.appendingPathComponent("pycode").path
    /// Its feed-forward rows of 172 are no whole groups.
    static let stories = TestFiles.fixtures.appendingPathComponent("stories260K").path
    static let schemes = HubLayout.Scheme.allCases

    static func request(
        _ model: String, _ output: URL, _ scheme: HubLayout.Scheme, group: Int? = nil
    ) throws -> QuantizationRequest {
        let layout = try HubLayout(scheme, groupSize: group)
        return QuantizationRequest(model: model, output: output.path, choice: .layout(layout))
    }

    static func run(
        _ request: QuantizationRequest, threads: Int = 2, budget: Int = 96 << 20, resumes: Bool = false
    ) throws {
        var request = request
        request.threads = threads
        let planned = try request.planned()
        try ConversionEngine(.init(threads: threads, memoryBudget: budget, resumes: resumes))
            .run(planned.plan, folder: planned.folder)
    }

    static func files(_ folder: URL) throws -> [String: Data] {
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
        return try Dictionary(
            uniqueKeysWithValues: names.map { ($0, try Data(contentsOf: folder.appendingPathComponent($0))) })
    }

    static func config(_ folder: URL) throws -> [String: Any] {
        let data = try Data(contentsOf: folder.appendingPathComponent("config.json"))
        return try #require(JSONSerialization.jsonObject(with: data) as? [String: Any])
    }

    @Test(arguments: schemes) func readingGivesWhatWasChosen(scheme: HubLayout.Scheme) throws {
        try ConversionTests.inFolder { folder in
            let output = folder.appendingPathComponent("out")
            try Self.run(Self.request(Self.pycode, output, scheme))
            let (source, written) = (try ModelGraph.open(Self.pycode), try ModelGraph.open(output.path))
            #expect(source.configuration == written.configuration)
            #expect(try source.sourceDigest() == written.sourceDigest())
            #expect(source.roles == written.roles, "embeddings stay tied")
            let layout = try HubLayout(scheme)
            var count = 0
            for role in source.roles {
                let (one, other) = (try #require(source.tensors[role]), try #require(written.tensors[role]))
                let subject = QuantizationSubject(name: "", role: role, shape: one.shape, sourceType: one.type)
                guard layout.quantizes(subject.kind) else {
                    #expect(try one.type == other.type && one.digest() == other.digest(), "\(role)")
                    continue
                }
                let format = layout.format(for: one.type)
                // Four bits are spent by what the norm before the matrix tells.
                let norm: TensorRole.Part? =
                    switch role.part {
                    case .query, .key, .value: .attentionNorm
                    case .gate, .up: .feedForwardNorm
                    case .tokenEmbedding: .outputNorm
                    default: nil
                    }
                let gains = try norm.flatMap { try source.tensors[TensorRole($0, block: role.block)]?.floats() }
                let importance = layout.bits == 4 ? gains?.map { $0 * $0 } ?? [] : []
                let chosen = try GroupCodec.encode(
                    format, .search, one.floats(), rowLength: one.rowLength, importance: importance)
                #expect(try other.floats() == GroupCodec.decode(format, chosen, rowLength: one.rowLength), "\(role)")
                count += 1
            }
            #expect(count == 4 * 7 + (layout.isMLX ? 1 : 0))
            let comparison = try CheckpointComparison(
                reference: Checkpoint.open(Self.pycode), candidate: Checkpoint.open(output.path))
            #expect(comparison.problems.isEmpty && comparison.rows.count == source.roles.count)
            #expect(comparison.rows.count { $0.difference.relativeError > 0 } == count)
            #expect(try CheckpointCheck.run(output.path).problems.isEmpty)
        }
    }

    @Test(arguments: schemes) func bytesDoNotDependOnThreadsPartsOrInterruptions(scheme: HubLayout.Scheme) throws {
        try ConversionTests.inFolder { folder in
            let whole = folder.appendingPathComponent("whole")
            var request = try Self.request(Self.pycode, whole, scheme, group: scheme == .w8a8 ? nil : 32)
            request.maximumShardSize = 1 << 20
            try Self.run(request)
            let expected = try Self.files(whole)
            #expect(expected.count > 4)
            request.output = folder.appendingPathComponent("many").path
            try Self.run(request, threads: 5, budget: 1 << 18)
            #expect(try Self.files(folder.appendingPathComponent("many")) == expected)
            // Parts, whose borders separate codes from scales.
            let plan = try request.planned().plan
            let engine = ConversionEngine(.init(threads: 2))
            let parts = try (1...7).map { number in
                try engine.run(plan.part(number, of: 7, name: "part-\(number)"), folder: folder.path)
                return folder.appendingPathComponent("part-\(number)").path
            }
            let joined = folder.appendingPathComponent("joined")
            try engine.run(JoinPlan(parts).plan(name: nil), folder: joined.path)
            #expect(try Self.files(joined) == expected)
            // A run that stops between a module's codes and its scales.
            request.output = folder.appendingPathComponent("resumed").path
            let planned = try request.planned()
            var broken = planned.plan
            let index = planned.plan.output.writingOrder[21]
            let entry = planned.plan.entries[index]
            broken.entries[index] = .init(
                entry.declaration, role: entry.role,
                rows: .made(preparationBytes: 0, rowBytes: 0) { { _ in throw CancellationError() } },
                sourceType: entry.sourceType, sourceByteCount: entry.sourceByteCount, fate: entry.fate)
            #expect(throws: CancellationError.self) { try engine.run(broken, folder: planned.folder) }
            #expect(!FileManager.default.fileExists(atPath: request.output + "/config.json"))
            try Self.run(request, resumes: true)
            #expect(try Self.files(folder.appendingPathComponent("resumed")) == expected)
        }
    }

    /// The GGUF remembers the Hub directory, so that rows, types and files come back.
    @Test(arguments: schemes) func aGGUFGivesTheSameDirectory(scheme: HubLayout.Scheme) throws {
        try ConversionTests.inFolder { folder in
            let file = folder.appendingPathComponent("model.gguf")
            try ConversionTests.convert(Self.pycode, to: file)
            var outputs: [[String: Data]] = []
            for (name, model) in [("hub", Self.pycode), ("gguf", file.path)] {
                let output = folder.appendingPathComponent(name)
                try Self.run(Self.request(model, output, scheme))
                outputs.append(try Self.files(output))
            }
            // Tensors lie in the file by name, whatever order they were read in.
            #expect(outputs[0]["model.safetensors"] == outputs[1]["model.safetensors"])
            #expect(outputs[0].keys.contains("tokenizer.json") && outputs[1].keys.contains("tokenizer.json"))
        }
    }

    @Test(arguments: schemes) func rowsThatAreNoGroupsStayDense(scheme: HubLayout.Scheme) throws {
        try ConversionTests.inFolder { folder in
            let output = folder.appendingPathComponent("out")
            let request = try Self.request(Self.stories, output, scheme, group: scheme == .w8a8 ? nil : 32)
            let planned = try request.planned()
            try Self.run(request)
            let written = try Checkpoint.open(output.path)
            let down = "model.layers.0.mlp.down_proj"
            let config = try Self.config(output)
            let settings = try #require(config["quantization_config"] as? [String: Any])
            if scheme == .w8a8 {
                #expect(written[down + ".weight"]?.type == .i8)
                #expect(settings["ignore"] as? [String] == ["lm_head"])
                return
            }
            #expect(written[down + ".weight"]?.type == .f32)
            let listed = planned.tensors.first { $0.name == down + ".weight" }
            #expect(listed?.reason.contains("rows of 172 are no whole groups of 32") == true)
            switch scheme {
            case .mlxQ4, .mlxQ8:
                #expect(settings[down] as? Bool == false)
                #expect((config["quantization"] as? NSDictionary) == (settings as NSDictionary))
            case .w4a16: #expect((settings["ignore"] as? [String])?.contains(down) == true)
            case .gptqQ4:
                let rules = try #require(settings["dynamic"] as? [String: Any])
                #expect(rules.keys.contains(#"-:^model\.layers\.0\.mlp\.down_proj$"#))
                let beside = try Data(contentsOf: output.appendingPathComponent("quantize_config.json"))
                #expect(try JSONSerialization.jsonObject(with: beside) as? NSDictionary == settings as NSDictionary)
            case .w8a8: break
            }
            // GPTQ cannot hold 172 outputs either.
            let others = scheme == .gptqQ4 ? 14 : 4
            #expect(planned.plan.notes.contains { $0.contains("\(down) and \(others) other matrices stay dense") })
            let source = try ModelGraph.open(Self.stories)
            let role = TensorRole(.down, block: 0)
            #expect(try ModelGraph.open(output.path).tensors[role]?.digest() == source.tensors[role]?.digest())
        }
    }

    @Test func whatCannotBeIsRefused() throws {
        try ConversionTests.inFolder { folder in
            let output = folder.appendingPathComponent("out")
            #expect(throws: ConversionError.self) {
                try Self.request(Self.pycode, folder.appendingPathComponent("x.gguf"), .mlxQ4).planned()
            }
            let recipe = QuantizationRequest(
                model: Self.pycode, output: folder.appendingPathComponent("x.gguf").path,
                choice: .recipe(Recipe(base: "w4a16")))
            #expect(throws: QuantizationError.layoutInRecipe("w4a16")) { try recipe.planned() }
            var request = try Self.request(Self.pycode, output, .w4a16)
            request.method = .gptq
            #expect(throws: ConversionError.self) { try request.planned() }
            request.isDryRun = true
            #expect(try request.planned().plan.output.byteCount > 0)
            try Self.run(Self.request(Self.pycode, output, .mlxQ4))
            let again = folder.appendingPathComponent("again")
            var second = try Self.request(output.path, again, .w4a16)
            #expect(throws: QuantizationError.alreadyQuantizedModules(file: output.path, count: 29)) {
                try second.planned()
            }
            second.requantizes = true
            let planned = try second.planned()
            try ConversionEngine(.init(threads: 2)).run(planned.plan, folder: planned.folder)
            let errors = planned.tally.relativeErrors
            #expect(errors.count == 28 && errors.values.allSatisfy { $0 > 0 && $0 < 0.1 })
            #expect(planned.tensors.count { errors[$0.measuredAs] != nil } == 28)
        }
    }

    /// QP-04: a weight that is no number, in the last matrix of a copy of the model.
    @Test(arguments: schemes) func nonfiniteWeightsAreRefusedOrCounted(scheme: HubLayout.Scheme) throws {
        try ConversionTests.inFolder { folder in
            let model = folder.appendingPathComponent("model")
            try FileManager.default.copyItem(atPath: Self.pycode, toPath: model.path)
            let path = model.appendingPathComponent("model.safetensors")
            var data = try Data(contentsOf: path)
            let header = data.prefix(8).enumerated().reduce(0) { $0 | Int($1.element) << (8 * $1.offset) }
            let json = try JSONSerialization.jsonObject(with: data[8..<8 + header]) as? [String: [String: Any]]
            let name = "model.layers.3.mlp.up_proj.weight"
            let offsets = try #require(json?[name]?["data_offsets"] as? [Int])
            // Row 1, column 3 of 256 in BF16.
            let at = 8 + header + offsets[0] + 2 * 259
            data.replaceSubrange(at..<at + 2, with: [0xC0, 0x7F])
            try data.write(to: path)
            var request = try Self.request(model.path, folder.appendingPathComponent("out"), scheme)
            #expect(throws: QuantizationError.nonfinite(tensor: name, row: 1, column: 3, value: "NaN")) {
                try Self.run(request)
            }
            request.output = folder.appendingPathComponent("zeroed").path
            request.replacesNonfinite = true
            let planned = try request.planned()
            try ConversionEngine(.init(threads: 2)).run(planned.plan, folder: planned.folder)
            #expect(planned.tally.replacedCount == 1)
            let role = TensorRole(.up, block: 3)
            #expect(try ModelGraph.open(request.output).tensors[role]?.floats(rows: 1..<2)[3].isFinite == true)
        }
    }
}
