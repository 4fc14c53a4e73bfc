import Kernels
import ModelGraph
import TensorFiles
import TestSupport
import Testing
import Tuning

@Suite("Losses and gradients", .enabled(if: TestFiles.hasShared, "shared oracles are absent"))
struct GradientTests {
    @Test("agree with the reference implementation", arguments: ["llama", "qwen3"])
    func oracle(family: String) throws {
        let oracle = try Oracle(family)
        let kinds = try oracle.integers("layout.kind")
        let tokens = zip(kinds, try oracle.integers("layout.token")).filter { $0.0 == 0 }.map(\.1)
        let probe = try PassProbe(model: oracle.model, graft: oracle.graft, tokens: tokens)

        for (name, found) in [
            ("base", probe.losses.base), ("sampler", probe.losses.sampler), ("latent", probe.losses.latent),
        ] {
            let expected = Double(try oracle.floats("loss.\(name)")[0])
            #expect(abs(found - expected) <= 1e-5 * abs(expected), "loss \(name): \(found), expected \(expected)")
        }
        let z = try oracle.floats("z")
        let width = oracle.model.configuration.hiddenSize
        let maskRows = kinds.indices.filter { kinds[$0] > 0 }.flatMap { z[$0 * width..<($0 + 1) * width] }
        #expect(relativeError(probe.maskRows, maskRows) < 1e-4)

        for tensor in try probe.gradient.weights().tensors {
            let expected = try oracle.floats("grad." + tensor.name)
            let error = relativeError(try tensor.floats(rows: 0..<tensor.rowCount), expected)
            #expect(error < 1e-3, "\(tensor.name): \(error)")
            #expect(expected.contains { $0 != 0 }, "\(tensor.name) has no gradient to compare")
        }
    }

    /// Largest difference over the largest expected magnitude.
    private func relativeError(_ found: [Float], _ expected: [Float]) -> Float {
        guard found.count == expected.count else { return .infinity }
        let largest = expected.map(abs).max() ?? 0
        let difference = zip(found, expected).map { abs($0 - $1) }.max() ?? 0
        return largest > 0 ? difference / largest : difference
    }
}
