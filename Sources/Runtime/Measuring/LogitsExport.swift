import Foundation
import Kernels
import ModelGraph
public import TensorFiles

/// Writes the logits of every position of a text to a safetensors file, pass by pass: `logits` [tokens, vocabulary]
/// in float32.
public struct LogitsExport {
    /// Rows of one pass.
    public static let chunk = 64

    public static func write(
        _ tokens: [Int], sequence: TokenSequence, to path: String, overwrites: Bool = false,
        progress: ProgressHandler? = nil
    ) throws {
        guard !tokens.isEmpty else { throw RuntimeError.options("there are no tokens") }
        let vocabulary = sequence.model.configuration.vocabularySize
        let url = URL(fileURLWithPath: path)
        let plan = try OutputPlan.safetensors(
            [TensorDeclaration(name: "logits", shape: [tokens.count, vocabulary], type: .f32)],
            name: url.lastPathComponent, digests: false)
        let writer = try CheckpointWriter(
            plan, folder: url.deletingLastPathComponent().path,
            options: .init(overwrites: overwrites, keepsPartial: false))
        sequence.truncate(to: 0)
        var start = 0
        while start < tokens.count {
            let run = tokens[start..<min(tokens.count, start + chunk)]
            try sequence.append(Array(run), chunk: chunk)
            let logits = try sequence.logits(of: Array(0..<run.count))
            try logits.buffer.withSpan(0..<logits.rows * logits.width) { span in
                try writer.append(unsafe span.bytes)
            }
            start += run.count
            progress?(Progress(stage: "logits", completed: start, total: tokens.count, unit: .tokens))
        }
        try writer.finish()
    }
}
