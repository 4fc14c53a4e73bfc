public import Kernels
import ModelGraph
public import Runtime

/// Time of one forward pass by number of rows, with the logits of all of them: what decides which decoder pays.
public enum RowCost {
    /// The fastest of several passes for each count, over a context of 64 tokens.
    public static func measure(
        _ model: Transformer, rows: [Int], cache: KeyValueStore.Precision, repeats: Int = 5
    ) throws -> [ForwardTime] {
        let prefix = min(64, max(1, model.configuration.contextLength / 4))
        let largest = min(rows.max() ?? 1, model.configuration.contextLength - prefix)
        let sequence = try TokenSequence(model, capacity: prefix + max(1, largest), precision: cache)
        let token = min(1, model.configuration.vocabularySize - 1)
        try sequence.append(Array(repeating: token, count: prefix))
        return try rows.filter { $0 <= largest }.map { count in
            let pass = Row.chain(Array(repeating: token, count: count))
            let all = Array(0..<count)
            var best = Double.infinity
            for _ in 0...repeats {
                let started = ContinuousClock.now
                try sequence.forward(pass)
                _ = try sequence.logits(of: all)
                let elapsed = started.duration(to: .now).components
                best = min(best, Double(elapsed.seconds) + Double(elapsed.attoseconds) * 1e-18)
            }
            return ForwardTime(rows: count, seconds: best)
        }
    }
}
