import Kernels
import ModelGraph
import Runtime
import TensorFiles

/// A text that the reference writes itself, sampled at temperature 1: what it thinks is likely is what candidates are
/// judged on when no text is given. The same for the same model, always.
struct SelfWrittenText {
    let model: Transformer
    let beginning: Int?
    let cache: KeyValueStore.Precision

    /// `count` tokens, written in windows that begin anew.
    func tokens(_ count: Int, window: Int, progress: ProgressHandler?) throws -> [Int] {
        let sequence = try TokenSequence(model, capacity: window, precision: cache)
        var sampling = SamplingOptions.greedy
        sampling.temperature = 1
        var written: [Int] = []
        while written.count < count {
            sampling.seed = UInt64(written.count)
            let decoder = PlainDecoder(sequence, sampling: sampling)
            try decoder.start(prompt: [beginning ?? 0])
            for _ in 0..<min(window - 1, count - written.count) {
                written += try decoder.step(limit: 1)
                progress?(Progress(stage: "writing a text", completed: written.count, total: count, unit: .tokens))
            }
        }
        return written
    }
}
