import Conversion
import Foundation
import Kernels
import ModelGraph
import Runtime
import TensorFiles
import TestSupport
import Testing

/// A checkpoint of another trainer, with fused projections and one mask, against what a reference in torch computes
/// for it: fixtures/mtp-glora/make.py.
@Suite struct ImportedGraftTests {
    private static let folder = TestFiles.fixtures.appendingPathComponent("mtp-glora")
    private static let base = TestFiles.fixtures.appendingPathComponent("stories260K").path

    @Test func aCheckpointOfMTPGLoRAComputesWhatItsTrainerDoes() throws {
        let expected = try Checkpoint.open(Self.folder.appendingPathComponent("expected.safetensors").path)
        let layout = try MixedSequence(
            kinds: Oracles.integers(expected, "layout.kind"), tokens: Oracles.integers(expected, "layout.token"),
            positions: Oracles.integers(expected, "layout.position"),
            blocks: Oracles.integers(expected, "layout.block"))
        #expect(layout.rows.count == 34 && layout.maskRows.count == 24)
        let pool = try WorkerPool(threads: 2)
        let graph = try ModelGraph.open(Self.base).canonical()
        let graft = try GraftReader.read(Self.folder.path, for: graph)
        #expect(graft.maskCount == 3 && graft.maskEmbeddings.rowCount == 1 && graft.rank == 2 && graft.alpha == 4)
        #expect(graft.sampler.residual && graft.sampler.norm == .rmsNorm)
        // The fused factor A serves each of its parts.
        #expect(graft.adapters[TensorRole(.key, block: 4)]?.a.rowCount == 6)
        #expect(graft.adapters[TensorRole(.up, block: 0)]?.a.rowCount == 4)
        let model = try Transformer(graph, precision: .float32, pool: pool)
        let loaded = try LoadedGraft(
            graft, configuration: graph.configuration, precision: .float32, pool: pool)
        let results = try layout.evaluate(model, graft: loaded)
        for (name, found) in [
            ("z", results.hidden), ("base_logits", results.logits), ("sampler_logits", results.samplerLogits),
        ] {
            let error = Oracles.error(found, try Oracles.floats(expected, name))
            #expect(error < 2e-4, "\(name): largest error over range \(error)")
        }
    }
}
