import Kernels
import ModelGraph
import Runtime
import TensorFiles
import TestSupport
import Testing

extension Oracles {
    static func graft(_ family: String) throws -> Graft {
        let file = try Checkpoint.open(path(family) + "/graft.safetensors")
        return try Graft(
            weights: Dictionary(uniqueKeysWithValues: file.tensors.map { ($0.name, $0) }),
            metadata: Dictionary(uniqueKeysWithValues: file.files[0].metadata.map { ($0.key, $0.value) }),
            file: file.path)
    }
}

/// A mixed sequence through a grafted model, against the reference implementation, in floats.
@Suite(.enabled(if: TestFiles.hasShared, "the shared oracles are absent"))
struct GraftOracleTests {
    @Test("hidden rows, logits and the sampler's logits are the reference's", arguments: ["llama", "qwen3"])
    func mixedSequence(_ family: String) throws {
        let expected = try Checkpoint.open(Oracles.path(family) + "/graft-expected.safetensors")
        let layout = try MixedSequence(
            kinds: Oracles.integers(expected, "layout.kind"), tokens: Oracles.integers(expected, "layout.token"),
            positions: Oracles.integers(expected, "layout.position"),
            blocks: Oracles.integers(expected, "layout.block"))
        #expect(layout.rows.count == 39 && layout.maskRows.count == 27)
        let pool = try WorkerPool(threads: 2)
        let graph = try Oracles.graph(family)
        let model = try Transformer(graph, precision: .float32, pool: pool)
        let graft = try LoadedGraft(
            Oracles.graft(family), configuration: graph.configuration, precision: .float32, pool: pool)
        let results = try layout.evaluate(model, graft: graft)
        for (name, found) in [
            ("z", results.hidden), ("base_logits", results.logits), ("sampler_logits", results.samplerLogits),
        ] {
            let error = Oracles.error(found, try Oracles.floats(expected, name))
            #expect(error < 2e-4, "\(name): largest error over range \(error)")
            print("oracle \(family) graft \(name): error \(error)")
        }
    }

    @Test func layoutsThatBreakTheRulesAreNamed() {
        func refused(_ kinds: [Int], _ positions: [Int], _ blocks: [Int]) -> Bool {
            do {
                _ = try MixedSequence(
                    kinds: kinds, tokens: kinds.map { _ in 1 }, positions: positions, blocks: blocks)
                return false
            } catch { return true }
        }
        #expect(!refused([0, 1, 0], [0, 1, 1], [0, 0, 1]))
        #expect(refused([0, 1, 0], [0, 2, 1], [0, 0, 1]))
        #expect(refused([0, 2, 0], [0, 1, 1], [0, 0, 1]))
        #expect(refused([0, 1, 0], [0, 1, 2], [0, 0, 1]))
        #expect(refused([0, 1, 0], [0, 1, 1], [0, 5, 1]))
        #expect(refused([0, 1, 0], [0, 1, 1], [3, 3, 1]))
        #expect(refused([0, 1], [0, 1], [0, 0]))
        #expect(refused([], [], []))
        #expect(refused([0], [0, 1], [0]))
    }
}
