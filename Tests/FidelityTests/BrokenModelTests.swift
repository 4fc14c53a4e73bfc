import Fidelity
import Foundation
import Kernels
import ModelGraph
import TensorFiles
import TestSupport
import Testing

/// Each model is broken in one way, and the verdict must name that way.
@Suite struct BrokenModelTests {
    private static func verify(
        _ candidate: String, against fixture: String = "stories260K"
    ) throws -> FidelityReport {
        var options = Verification.Options()
        options.tokenLimit = 300
        options.context = 128
        options.generated = 8
        options.repeats = 1
        options.rows = []
        let reference = TestFiles.fixtures.appendingPathComponent(fixture).path
        let verification = try Verification(
            reference: Subject(path: reference), candidates: [Subject(path: candidate)], options: options,
            pool: WorkerPool(threads: 2))
        return try verification.run(text: .init(name: "story", content: story), prompts: nil)
    }

    private static let story = String(
        repeating: "Once upon a time there was a little girl who had a red ball. She liked to play in the park. ",
        count: 8)

    private static func causes(_ report: FidelityReport) -> Set<String> {
        Set(report.findings.filter { $0.severity == .failure }.map(\.cause))
    }

    @Test func unbrokenModelPasses() throws {
        let report = try Self.verify(TestFiles.fixtures.appendingPathComponent("stories260K").path)
        #expect(report.passed)
        #expect(report.findings.isEmpty)
        #expect(report.kl.max < 1e-9)
        #expect(report.top1Agreement == 1)
        #expect(report.tensors.allSatisfy { $0.relativeError == 0 })
    }

    @Test func quantizedModelIsNotTakenForABrokenOne() throws {
        let report = try Self.verify(TestFiles.fixtures.appendingPathComponent("gguf/stories260K-q4_0.gguf").path)
        #expect(report.passed)
        #expect(Self.causes(report).isEmpty)
        #expect(report.kl.mean > 1e-4 && report.kl.mean < 0.5)
    }

    @Test func zeroedTensorIsNamed() throws {
        let model = try DamagedModel(copying: "stories260K")
        defer { model.remove() }
        let name = "model.layers.2.mlp.up_proj.weight"
        try model.rewrite(where: { $0 == name }, by: { bytes, _ in Data(count: bytes.count) })
        let report = try Self.verify(model.folder.path)
        #expect(!report.passed)
        #expect(Self.causes(report) == ["tensorZero"])
        #expect(report.verdict.contains(name))
    }

    @Test func rotaryPermutationIsNamed() throws {
        let model = try DamagedModel(copying: "stories260K")
        defer { model.remove() }
        // Heads of 8 rows: the order that GGUF wants, in a file that says it is the Hub's.
        func permute(_ bytes: Data, _ shape: [Int]) -> Data {
            let row = bytes.count / shape[0]
            var permuted = Data()
            for head in 0..<shape[0] / 8 {
                for pair in 0..<4 {
                    for half in 0..<2 {
                        let source = (head * 8 + half * 4 + pair) * row
                        permuted.append(bytes.subdata(in: source..<source + row))
                    }
                }
            }
            return permuted
        }
        try model.rewrite(where: { $0.contains("q_proj.weight") || $0.contains("k_proj.weight") }, by: permute)
        let report = try Self.verify(model.folder.path)
        #expect(!report.passed)
        #expect(Self.causes(report) == ["rotaryOrder"])
    }

    @Test func swappedTokenizerIsNamed() throws {
        let model = try DamagedModel(copying: "stories260K")
        defer { model.remove() }
        // Two words of the vocabulary change places, in every file that has them.
        try model.rewriteText("tokenizer.json") { text in
            text.replacing("\"▁the\": 265", with: "\"▁the\": 261").replacing("\"▁a\": 261", with: "\"▁a\": 265")
        }
        let report = try Self.verify(model.folder.path)
        #expect(!report.passed, "\(report.verdict)")
        #expect(Self.causes(report) == ["tokenizer"])
    }

    @Test func shardOfAnotherModelIsNamed() throws {
        let model = try DamagedModel(copying: "sharded")
        defer { model.remove() }
        let shard = try #require(
            FileManager.default.contentsOfDirectory(atPath: model.folder.path).sorted()
                .first { $0.hasSuffix(".safetensors") && $0.contains("00002") })
        // Other weights of the same spread: the tensor's own, in another order.
        func shuffle(_ bytes: Data, _ shape: [Int]) -> Data {
            var elements = stride(from: 0, to: bytes.count, by: 2).map { [bytes[$0], bytes[$0 + 1]] }
            var state: UInt64 = 1
            for index in elements.indices.reversed() where index > 0 {
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                elements.swapAt(index, Int(state >> 33) % (index + 1))
            }
            return Data(elements.joined())
        }
        try model.rewrite(shard, where: { !$0.hasPrefix("__") && !$0.contains("norm") }, by: shuffle)
        let report = try Self.verify(model.folder.path, against: "sharded")
        #expect(!report.passed)
        #expect(Self.causes(report) == ["foreignTensors"])
        #expect(report.verdict.contains(shard))
    }

    @Test func lostHalfOfTheSamplerIsNamed() throws {
        let decoders = [
            DecoderResult(
                name: "quadratic", masks: 2, acceptance: 1.001, tokensPerSecond: 10, speedup: 0.5, speedupLow: 0.5,
                speedupHigh: 0.5)
        ]
        let findings = GraftDiagnosis.findings(samplerHalves: (embedding: 0, hidden: 0.02), decoders: decoders)
        #expect(findings.map(\.cause) == ["samplerHalfLost", "draftsNeverAccepted"])
        #expect(findings[1].message.contains("1.00"))
        let healthy = GraftDiagnosis.findings(samplerHalves: (embedding: 0.001, hidden: 0.02), decoders: [])
        #expect(healthy.isEmpty)
    }
}

extension FidelityReport {
    fileprivate var tensors: [Fidelity.TensorDifference] { candidates[0].tensors }
}
