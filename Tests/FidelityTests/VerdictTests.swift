import Fidelity
import Foundation
import Kernels
import Runtime
import TestSupport
import Testing

/// Limits, which candidate to ship, and the sentences that say so.
@Suite struct VerdictTests {
    private static func verify(
        _ candidates: [String], limits: FidelityLimits = .init()
    ) throws -> FidelityReport {
        var options = VerifyFixture.options
        options.examinesTensors = false
        options.limits = limits
        let reference = try Subject(path: VerifyFixture.path("stories260K"))
        return try Verification(
            reference: reference, candidates: candidates.map { try Subject(path: VerifyFixture.path($0)) },
            options: options, pool: WorkerPool(threads: 2)
        ).run(text: .init(name: "text", content: VerifyFixture.story), prompts: nil)
    }

    private static let (q4, q8, f16) = (
        "gguf/stories260K-q4_0.gguf", "gguf/stories260K-q8_0.gguf", "gguf/stories260K-f16.gguf"
    )

    @Test func missedLimitFailsAndSaysWhatToDo() throws {
        let divergence = try Self.verify([Self.q4], limits: .init(maximumDivergence: 1e-5))
        #expect(!divergence.passed)
        #expect(divergence.verdict.hasPrefix("Mean KL is"))
        #expect(divergence.verdict.contains("quantize --size"))
        let speed = try Self.verify([Self.q4], limits: .init(minimumSpeedup: 1.5))
        #expect(!speed.passed)
        #expect(speed.verdict.contains("not measured") && speed.verdict.contains("--graft"))
        let size = try Self.verify([Self.q4], limits: .init(maximumBytes: 1000))
        #expect(!size.passed)
        #expect(size.verdict.contains("the limit was 1000 B"))
        let met = try Self.verify([Self.q4], limits: .init(maximumDivergence: 10, minimumTop1: 0.1))
        #expect(met.passed)
        #expect(met.limits.map(\.passed) == [true, true])
    }

    @Test func smallestThatKeepsTheLimitIsShipped() throws {
        let report = try Self.verify([Self.q4, Self.q8, Self.f16], limits: .init(maximumDivergence: 0.5))
        #expect(report.passed)
        #expect(report.recommended == "stories260K-q4_0")
        #expect(report.verdict.hasPrefix("Ship stories260K-q4_0 ("))
        #expect(report.frontier == ["stories260K-q4_0", "stories260K-q8_0", "stories260K-f16"])
        let between = report.candidates[0].kl.mean / 2
        let strict = try Self.verify([Self.q4, Self.q8, Self.f16], limits: .init(maximumDivergence: between))
        #expect(strict.recommended == "stories260K-q8_0")
        let none = try Self.verify([Self.q4, Self.q8], limits: .init(maximumDivergence: 1e-9))
        #expect(!none.passed && none.recommended == nil)
        #expect(none.verdict.hasPrefix("No candidate meets the limits: stories260K-q4_0 by its mean KL"))
    }

    @Test func nearestThatFitsIsShipped() throws {
        let room = try Subject(path: VerifyFixture.path(Self.q8)).summary().bytes
        let report = try Self.verify([Self.q4, Self.q8, Self.f16], limits: .init(maximumBytes: room))
        #expect(report.recommended == "stories260K-q8_0")
    }

    @Test func withoutLimitsNothingIsRecommended() throws {
        let report = try Self.verify([Self.q4, Self.q8])
        #expect(report.passed && report.recommended == nil)
        #expect(report.verdict.contains("--max-kl"))
    }

    /// Spec-Bench, HumanEval (gzip), MBPP and GSM8K as they are published.
    @Test(.enabled(if: TestFiles.hasShared, "shared prompts are absent"))
    func publishedPromptSetsAreRead() throws {
        for (name, count, categories) in [
            ("spec-bench.jsonl", 480, 13), ("HumanEval.jsonl.gz", 164, 0), ("mbpp.jsonl", 974, 0),
            ("gsm8k-test.jsonl", 1319, 0),
        ] {
            let prompts = try PromptFile.read(TestFiles.shared("data/prompts/\(name)"))
            #expect(prompts.count == count, "\(name)")
            #expect(Set(prompts.compactMap(\.category)).count == categories, "\(name)")
            #expect(prompts.allSatisfy { !$0.text.isEmpty })
        }
    }
}
