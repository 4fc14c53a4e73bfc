import Foundation
import Kernels
import ModelGraph
import Runtime
import TensorFiles
import TestSupport

/// Tiny checkpoints of each family and what the reference implementation computes for them.
enum Oracles {
    static let families = ["llama", "llama3", "mistral", "qwen2", "qwen3", "gemma2", "gemma3", "phi3", "olmo2"]

    static func path(_ family: String) -> String { TestFiles.shared("oracles/\(family)").path }

    static func graph(_ family: String) throws -> ModelGraph { try ModelGraph.open(path(family)).canonical() }

    struct Expected {
        var tokens: [Int]
        /// [tokens, vocabulary]
        var logits: [Float]
        var greedy: [Int]
    }

    static func expected(_ family: String) throws -> Expected {
        let file = try Checkpoint.open(path(family) + "/expected.safetensors")
        return Expected(
            tokens: try integers(file, "tokens"), logits: try floats(file, "logits"),
            greedy: try integers(file, "greedy"))
    }

    static func floats(_ file: Checkpoint, _ name: String) throws -> [Float] {
        guard let tensor = file[name] else { throw RuntimeError.missingTensor(name) }
        return try tensor.floats(rows: 0..<tensor.rowCount)
    }

    static func integers(_ file: Checkpoint, _ name: String) throws -> [Int] {
        try floats(file, name).map { Int($0) }
    }

    /// Largest difference over the reference's range.
    static func error(_ found: [Float], _ expected: [Float]) -> Double {
        guard found.count == expected.count, let low = expected.min(), let high = expected.max() else {
            return .infinity
        }
        let worst = zip(found, expected).map { abs(Double($0) - Double($1)) }.max() ?? .infinity
        return worst.isNaN ? .infinity : worst / Double(high - low)
    }
}

extension TokenSequence {
    /// Logits of `tokens` as one pass of rows, which are kept.
    func allLogits(_ newTokens: [Int]) throws -> [Float] {
        try forward(Row.chain(newTokens))
        let logits = try logits(of: Array(newTokens.indices))
        keep(Array(newTokens.indices))
        return logits.buffer.array(0..<logits.rows * logits.width)
    }

    /// The greedy continuation of what was kept, from the last row of the last pass.
    func greedy(_ count: Int, after logits: [Float]) throws -> [Int] {
        var token = logits.suffix(model.configuration.vocabularySize).enumerated()
            .max { ($0.element, -$0.offset) < ($1.element, -$1.offset) }!.offset
        var result = [token]
        while result.count < count {
            try forward([Row(.token(token), after: nil)])
            token = try self.logits(of: [0]).largest(0)
            keep([0])
            result.append(token)
        }
        return result
    }
}
