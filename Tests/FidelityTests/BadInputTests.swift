import Fidelity
import Foundation
import Kernels
import Runtime
import TensorFiles
import TestSupport
import Testing

/// What cannot be compared at all: the message, and the exit status that goes with it (2 usage, 3 bad input).
@Suite struct BadInputTests {
    private func refused(_ kind: FailureKind, _ words: String..., by body: () throws -> Void) {
        do {
            try body()
            Issue.record("accepted")
        } catch let error as any DescribedError {
            #expect(error.kind == kind)
            for word in words { #expect(error.description.contains(word), "\(error.description)") }
        } catch {
            Issue.record("\(error)")
        }
    }

    private func verify(
        prompts: [Prompt]? = nil, text: String = VerifyFixture.story,
        _ change: (inout Verification.Options) -> Void = { _ in }
    ) throws -> FidelityReport {
        var options = VerifyFixture.options
        options.examinesTensors = false
        change(&options)
        let model = try Subject(path: VerifyFixture.path("stories260K"))
        return try Verification(
            reference: model, candidates: [model], options: options, pool: WorkerPool(threads: 2)
        ).run(text: .init(name: "text", content: text), prompts: prompts)
    }

    @Test func otherVocabularyIsRefused() throws {
        refused(.input, "4096", "512", "vocabular") {
            _ = try VerifyFixture.verify(VerifyFixture.path("stories260K"), against: VerifyFixture.path("pycode"))
        }
    }

    @Test func emptyTextIsRefused() {
        refused(.input, "0 tokens", "--text") { _ = try verify(text: "") }
    }

    @Test func unreadableCandidatesAreRefused() {
        for name in ["hostile/GG-01-magic.gguf", "hostile/GG-22-cut-short.gguf", "nowhere.gguf", "golden/types.gguf"]
        {
            refused(.input, String(name.split(separator: "/").last ?? "")) {
                _ = try VerifyFixture.verify(VerifyFixture.path(name))
            }
        }
    }

    @Test func contextBeyondTheModelIsRefused() {
        refused(.usage, "--context 100000", "512") { _ = try verify { $0.context = 100_000 } }
        refused(.usage, "--context 3") { _ = try verify { $0.context = 3 } }
    }

    @Test func longPromptsAreNamedOrLeftOut() throws {
        let prompts = [
            Prompt(text: "Once upon"), Prompt(text: String(repeating: "little girl ", count: 400)),
            Prompt(text: "The end"),
        ]
        refused(.input, "prompt 2 has", "503 fit", "1 prompts", "--skip-long-prompts") {
            _ = try verify(prompts: prompts)
        }
        let report = try verify(prompts: prompts) { $0.skipsLongPrompts = true }
        #expect(report.decoders.map(\.name) == ["plain"])
        refused(.input, "prompt 1 has") { _ = try verify(prompts: [prompts[1]]) { $0.skipsLongPrompts = true } }
        refused(.usage, "--prompts") { _ = try verify(prompts: []) }
    }
}
