import Foundation
import ModelGraph
import TensorFiles
import TestSupport
import Testing

/// What is wrong with a model is told at once, by name, before anything is written.
@Suite struct RefusalTests {
    /// A copy of the stories260K fixture with a changed `config.json`.
    static func model(
        _ changes: [String: Any], _ body: (String) throws -> Void
    ) throws {
        let folder = try TestFiles.temporaryFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let source = TestFiles.fixtures.appendingPathComponent("stories260K")
        let data = try Data(contentsOf: source.appendingPathComponent("config.json"))
        var config = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
        config.merge(changes) { _, new in new }
        try JSONSerialization.data(withJSONObject: config).write(to: folder.appendingPathComponent("config.json"))
        try FileManager.default.createSymbolicLink(
            at: folder.appendingPathComponent("model.safetensors"),
            withDestinationURL: source.appendingPathComponent("model.safetensors"))
        try body(folder.path)
    }

    static func rules(_ path: String) -> Set<ModelProblem.Rule> {
        do {
            _ = try ModelGraph.open(path)
            return []
        } catch ModelError.problems(_, let problems) {
            return Set(problems.map(\.rule))
        } catch {
            Issue.record("\(error)")
            return []
        }
    }

    @Test func theFixtureItselfOpens() throws {
        try Self.model([:]) { #expect(Self.rules($0).isEmpty) }
    }

    @Test(arguments: [
        ("num_attention_heads", -8, ModelProblem.Rule.settingRange), ("num_hidden_layers", 1 << 40, .settingRange),
        ("hidden_size", 0, .settingRange), ("num_key_value_heads", 3, .constraint), ("head_dim", 7, .constraint),
        ("intermediate_size", 173, .tensorShape), ("num_hidden_layers", 4, .tensorUnknown),
        ("num_hidden_layers", 6, .tensorMissing), ("vocab_size", 513, .vocabulary), ("vocab_size", 511, .vocabulary),
    ])
    func numbersThatCannotBe(key: String, value: Int, rule: ModelProblem.Rule) throws {
        try Self.model([key: value]) { #expect(Self.rules($0).contains(rule)) }
    }

    @Test func untiedWithoutOutput() throws {
        try Self.model(["tie_word_embeddings": false]) { #expect(Self.rules($0) == [.tensorMissing]) }
    }

    @Test func buildingBlocksThatWeLack() throws {
        try Self.model(["hidden_act": "gelu_new"]) { #expect(Self.rules($0) == [.settingUnsupported]) }
        try Self.model(["rope_scaling": ["type": "dynamic", "factor": 2]]) {
            #expect(Self.rules($0) == [.rotaryScaling])
        }
    }

    @Test func everythingAtOnce() throws {
        try Self.model([
            "num_attention_heads": -8, "vocab_size": "many", "rms_norm_eps": NSNull(),
        ]) { #expect(Self.rules($0).isSuperset(of: [.settingRange, .settingKind, .settingMissing])) }
    }

    @Test func aFamilyThatWeDoNotHave() throws {
        try Self.model(["architectures": ["MambaForCausalLM"]]) { path in
            #expect {
                _ = try ModelGraph.open(path)
            } throws: { error in
                guard case ModelError.unknownFamily(_, let found, let known) = error else { return false }
                return found == "MambaForCausalLM" && known.contains("qwen3")
            }
        }
    }

    @Test(.enabled(if: TestFiles.hasShared, "shared configurations are absent"))
    func realFamiliesAreDescribedOrRefusedByName() throws {
        let folder = TestFiles.shared("data/configs/families")
        let ours = ["Meta-Llama", "Qwen3-0.6B", "Qwen3-8B", "Qwen3-32B-FP8"]
        for name in try FileManager.default.contentsOfDirectory(atPath: folder.path) {
            let directory = try TestFiles.temporaryFolder()
            defer { try? FileManager.default.removeItem(at: directory) }
            try FileManager.default.copyItem(
                at: folder.appendingPathComponent(name), to: directory.appendingPathComponent("config.json"))
            do {
                let graph = try ModelGraph.open(directory.path, weights: .mayBeAbsent)
                #expect(ours.contains { name.contains($0) }, "\(name)")
                #expect(graph.parameterCount > 0)
            } catch ModelError.unknownFamily {
                #expect(!ours.contains { name.contains($0) }, "\(name)")
            }
        }
    }
}
