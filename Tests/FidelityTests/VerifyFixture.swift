import Fidelity
import Foundation
import Kernels
import ModelGraph
import TensorFiles
import TestSupport

/// A small `verify` over fixtures, as the tests of this room need it.
enum VerifyFixture {
    static let story = String(
        repeating: "Once upon a time there was a little girl who had a red ball. She liked to play in the park. ",
        count: 8)

    static let code = String(
        repeating: "def read_config(path):\n    with open(path) as handle:\n        return json.load(handle)\n\n",
        count: 24)

    static var options: Verification.Options {
        var options = Verification.Options()
        options.tokenLimit = 300
        options.context = 128
        options.generated = 8
        options.repeats = 1
        options.rows = []
        return options
    }

    static func path(_ fixture: String) -> String { TestFiles.fixtures.appendingPathComponent(fixture).path }

    static func verify(
        _ candidate: String, against reference: String = path("stories260K"), text: String? = story,
        options: Verification.Options = options, graft: CandidateGraft? = nil
    ) throws -> FidelityReport {
        let verification = try Verification(
            reference: Subject(path: reference), candidates: [Subject(path: candidate)], options: options,
            pool: WorkerPool(threads: 2))
        return try verification.run(
            text: text.map { .init(name: "text", content: $0) }, prompts: nil, graft: graft)
    }

    static func causes(_ report: FidelityReport, _ severity: Finding.Severity = .failure) -> Set<String> {
        Set(report.findings.filter { $0.severity == severity }.map(\.cause))
    }

    /// Writes a GGUF's tensors again, some of them changed.
    static func rewriteGGUF(
        _ source: String, to folder: URL, _ change: (Tensor) throws -> Tensor?
    ) throws -> String {
        let checkpoint = try Checkpoint.open(source)
        let tensors = try checkpoint.tensors.map { try change($0) ?? $0 }
        guard let metadata = checkpoint.gguf else { preconditionFailure("not a GGUF") }
        let writer = try CheckpointWriter(
            try OutputPlan.gguf(tensors.map(TensorDeclaration.init), metadata: metadata, digests: false),
            folder: folder.path)
        for tensor in tensors { try writer.write(tensor) }
        try writer.finish()
        return folder.appendingPathComponent("model.gguf").path
    }
}
