import Fidelity
import Foundation
import Kernels
import TensorFiles
import TestSupport
import Testing

/// Each model is broken in one way, and the verdict must name that way.
@Suite struct BrokenModelTests {
    private static func verify(
        _ candidate: String, against fixture: String = "stories260K"
    ) throws -> FidelityReport {
        try VerifyFixture.verify(candidate, against: VerifyFixture.path(fixture))
    }

    private static func causes(_ report: FidelityReport) -> Set<String> { VerifyFixture.causes(report) }

    @Test func unbrokenModelPasses() throws {
        let report = try Self.verify(TestFiles.fixtures.appendingPathComponent("stories260K").path)
        #expect(report.passed)
        #expect(report.findings.isEmpty)
        // What rounding in the record leaves.
        #expect(report.kl.max < 1e-6)
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

    @Test func embeddingsTiedWronglyAreNamed() throws {
        let reference = try DamagedModel(copying: "stories260K")
        let candidate = try DamagedModel(copying: "stories260K")
        defer {
            reference.remove()
            candidate.remove()
        }
        // An unembedding of its own: the table with its rows in another order, so that nobody can take one for other.
        try reference.add("lm_head.weight", from: "model.embed_tokens.weight") { bytes, shape in
            let row = bytes.count / shape[0]
            return (0..<shape[0]).reduce(into: Data()) { data, index in
                let source = (index * 7 + 3) % shape[0] * row
                data.append(bytes.subdata(in: source..<source + row))
            }
        }
        try reference.rewriteText("config.json") {
            $0.replacing("\"tie_word_embeddings\": true", with: "\"tie_word_embeddings\": false")
        }
        let report = try VerifyFixture.verify(candidate.folder.path, against: reference.folder.path)
        #expect(!report.passed)
        #expect(Self.causes(report) == ["tiedEmbeddings"])
        #expect(report.verdict.contains("lm_head.weight"))
    }

    /// All tensors in Q8_0 but one, which takes the blame, with the price of a better type.
    @Test func tensorWhoseTypeCostsMostIsNamed() throws {
        let folder = try TestFiles.temporaryFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let name = "token_embd.weight"
        let model = try VerifyFixture.rewriteGGUF(VerifyFixture.path("gguf/stories260K-q8_0.gguf"), to: folder) {
            guard $0.name == name else { return nil }
            let bytes = try BlockCodec.encode(.q4_0, .nearest, $0.floats(), rowLength: $0.rowLength)
            return Tensor(name: name, shape: $0.shape, type: .q4_0, source: MemorySource(bytes))
        }
        let report = try Self.verify(model)
        #expect(Self.causes(report).isEmpty)
        let finding = try #require(report.findings.first { $0.cause == "tensorType" }, "\(report.kl)")
        #expect(finding.severity == .warning)
        #expect(finding.message.hasPrefix("model.embed_tokens.weight in Q4_0 is responsible for"))
        // 512 rows of 64: 34 bytes a block in place of 18.
        #expect(finding.message.contains("Q8_0 would cost 16.0 KiB more"), "\(finding.message)")
    }
}

extension FidelityReport {
    fileprivate var tensors: [Fidelity.TensorDifference] { candidates[0].tensors }
}
