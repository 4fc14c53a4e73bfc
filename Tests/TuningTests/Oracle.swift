import Foundation
import Kernels
import ModelGraph
import TensorFiles
import TestSupport

/// A tiny model with random weights, a random graft, and what the reference implementation computes for them.
struct Oracle {
    let model: ModelGraph
    let graft: Graft
    let expected: Checkpoint

    init(_ family: String) throws {
        let folder = TestFiles.shared("oracles/\(family)")
        model = try ModelGraph.open(folder.path).canonical()
        let weights = try Checkpoint.open(folder.appendingPathComponent("graft.safetensors").path)
        graft = try Graft(
            weights: Dictionary(uniqueKeysWithValues: weights.tensors.map { ($0.name, $0) }),
            metadata: Dictionary(uniqueKeysWithValues: weights.files[0].metadata.map { ($0.key, $0.value) }),
            file: "graft.safetensors")
        expected = try Checkpoint.open(folder.appendingPathComponent("graft-expected.safetensors").path)
    }

    func floats(_ name: String) throws -> [Float] {
        guard let tensor = expected[name] else { throw TestProblem("the oracle has no \(name)") }
        return try tensor.floats(rows: 0..<tensor.rowCount)
    }

    func integers(_ name: String) throws -> [Int] { try floats(name).map { Int($0) } }
}

struct TestProblem: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}
