import Fidelity
import Foundation
import Kernels
import ModelGraph
import TensorFiles
import TestSupport
import Testing

/// Grafts broken in ways that nothing else would notice: output stays right, only the gain is gone.
@Suite struct GraftVerdictTests {
    private static let path = VerifyFixture.path("pycode-graft/pycode-graft.gguf")

    private static func verify(
        _ graft: Graft, _ model: String = VerifyFixture.path("pycode")
    ) throws -> FidelityReport {
        var options = VerifyFixture.options
        options.generated = 24
        options.examinesTensors = false
        return try VerifyFixture.verify(
            model, against: VerifyFixture.path("pycode"), text: VerifyFixture.code, options: options,
            graft: CandidateGraft(graft, path: path))
    }

    @Test func wholeGraftPasses() throws {
        let report = try Self.verify(try Graft.open(Self.path))
        #expect(report.passed, "\(report.verdict)")
        #expect(report.equal == true)
        let best = try #require(report.decoders.map(\.acceptance).max())
        #expect(best > 1.5 && best < 9)
        // plain, linear and quadratic with 1 … 8 masks, adaptive
        #expect(report.decoders.count == 18)
    }

    /// One scale for both halves, in 4 bits: the half that reads embeddings is twenty times too small for it.
    @Test func samplerHalfRoundedToZeroIsNamed() throws {
        var graft = try Graft.open(Self.path)
        func rounded(_ tensor: Tensor, scale: Float) throws -> Tensor {
            let values = try tensor.floats().map { ($0 / scale).rounded() * scale }
            let bytes = values.flatMap { value in
                (0..<4).map { UInt8(truncatingIfNeeded: value.bitPattern >> (8 * $0)) }
            }
            return try #require(
                Tensor(name: tensor.name, shape: tensor.shape, type: .f32, source: MemorySource(bytes)))
        }
        let largest = try graft.sampler.token.floats().map(abs).max() ?? 0
        graft.sampler.token = try rounded(graft.sampler.token, scale: largest * 20 / 7)
        let report = try Self.verify(graft)
        #expect(!report.passed)
        #expect(VerifyFixture.causes(report).contains("samplerHalfLost"))
        #expect(
            report.verdict.contains("half of the sampler's first matrix that reads the previous token's embedding"))
        #expect(report.equal == true)
    }

    @Test func graftOfAnotherModelIsNamed() throws {
        let model = try DamagedModel(copying: "pycode")
        defer { model.remove() }
        // The least that makes it another model: one bit of one weight.
        func flip(_ bytes: Data, _ shape: [Int]) -> Data {
            var bytes = bytes
            bytes[0] ^= 1
            return bytes
        }
        try model.rewrite(where: { $0 == "model.norm.weight" }, by: flip)
        let report = try Self.verify(try Graft.open(Self.path), model.folder.path)
        #expect(!report.passed)
        #expect(VerifyFixture.causes(report) == ["foreignGraft"])
        #expect(report.verdict.contains("--trust-base"))
        #expect(report.decoders.map(\.name) == ["plain"])
    }

    @Test func draftsThatNobodyAcceptsAreNamed() {
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
