import Kernels
import ModelGraph
import Runtime
import TensorFiles
import TestSupport
import Testing

/// Each family against the reference implementation, in floats.
@Suite(.enabled(if: TestFiles.hasShared, "the shared oracles are absent"))
struct OracleTests {
    @Test("logits and greedy text are the reference's", arguments: Oracles.families)
    func family(_ name: String) throws {
        let expected = try Oracles.expected(name)
        let pool = try WorkerPool(threads: 2)
        let model = try Transformer(try Oracles.graph(name), precision: .float32, pool: pool)
        let sequence = try TokenSequence(model, capacity: 128, precision: .f32)
        let logits = try sequence.allLogits(expected.tokens)
        let error = Oracles.error(logits, expected.logits)
        #expect(error < 2e-4, "largest error over range: \(error)")
        print("oracle \(name): error \(error)")
        #expect(try sequence.greedy(expected.greedy.count, after: logits) == expected.greedy)
    }
}
