import Foundation
import Kernels
import ModelGraph
import Runtime
import Synchronization
import TensorFiles

/// Runs a reference over a text once and writes its record, a few rows at a time: memory does not grow with the text.
struct ReferenceRecorder {
    let model: Transformer
    let plan: ScoringPlan
    let settings: ReferenceRecord.Settings
    let cache: KeyValueStore.Precision

    /// Tokens whose hidden states are kept.
    private static let hiddenTokens = 32

    /// - Parameter path: `nil` for a record that goes with the process.
    func write(to path: String?, overwrites: Bool, progress: ProgressHandler?) throws -> ReferenceRecord {
        if let path {
            try record(to: URL(fileURLWithPath: path), overwrites: overwrites, progress: progress)
            return try ReferenceRecord(path: path)
        }
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("foretoken-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        let file = folder.appendingPathComponent("record.safetensors")
        try record(to: file, overwrites: false, progress: progress)
        // Mapped files outlive their names.
        return try ReferenceRecord(path: file.path)
    }

    private func record(to url: URL, overwrites: Bool, progress: ProgressHandler?) throws {
        let shape = RecordShape(vocabulary: model.configuration.vocabularySize)
        let hidden = try HiddenStates.record(
            Array(plan.windows[0].tokens.prefix(Self.hiddenTokens)), model, cache: cache)
        let writer = try CheckpointWriter(
            try outputPlan(shape, hidden, name: url.lastPathComponent),
            folder: url.deletingLastPathComponent().path,
            options: .init(overwrites: overwrites, keepsPartial: false))
        var bytes: [UInt8] = []
        for value in hidden.values { bytes.appendLittleEndian(value.bitPattern) }
        try append(&bytes, to: writer)
        for window in plan.windows {
            for token in window.tokens { bytes.appendLittleEndian(UInt32(truncatingIfNeeded: token)) }
            try append(&bytes, to: writer)
        }
        try appendRows(shape, to: writer, progress: progress)
        try writer.finish()
    }

    private func append(_ bytes: inout [UInt8], to writer: CheckpointWriter) throws {
        try unsafe writer.append(bytes.span.bytes)
        bytes.removeAll(keepingCapacity: true)
    }

    private func appendRows(
        _ shape: RecordShape, to writer: CheckpointWriter, progress: ProgressHandler?
    ) throws {
        let chunk = WindowPass.chunk(vocabulary: shape.vocabulary)
        let sequence = try TokenSequence(model, capacity: plan.context, precision: cache)
        var number = 0
        var done = 0
        for window in plan.windows {
            try WindowPass.run(window, on: sequence, chunk: chunk) { count, scored, logits in
                if let logits {
                    let first = number - scored.lowerBound
                    let encoded = Mutex([[UInt8]](repeating: [], count: scored.count))
                    model.pool.run(scored.count) { index in
                        let place = scored.lowerBound + index
                        let bytes = logits.withRow(index) { row in
                            RecordedRow(row, target: window.tokens[place + 1], number: first + place, shape: shape)
                        }.encode(shape)
                        encoded.withLock { $0[index] = bytes }
                    }
                    for bytes in encoded.withLock({ $0 }) { try unsafe writer.append(bytes.span.bytes) }
                    number += scored.count
                }
                done += count
                progress?(Progress(stage: "reference", completed: done, total: plan.tokenCount, unit: .tokens))
            }
        }
    }

    private func outputPlan(_ shape: RecordShape, _ hidden: HiddenStates, name: String) throws -> OutputPlan {
        func key(_ name: String) -> String { ReferenceRecord.prefix + name }
        return try OutputPlan.safetensors(
            [
                TensorDeclaration(name: "hidden", shape: [hidden.layers, hidden.tokens, hidden.width], type: .f32),
                TensorDeclaration(name: "tokens", shape: [plan.windows.count, plan.context], type: .u32),
                TensorDeclaration(name: "rows", shape: [plan.scoredCount, shape.rowByteCount], type: .u8),
            ],
            metadata: [
                (key("version"), ReferenceRecord.version), (key("digest"), settings.digest),
                (key("text"), settings.textName), (key("precision"), settings.precision),
                (key("cache"), settings.cache), (key("vocabulary"), "\(shape.vocabulary)"),
                (key("top"), "\(shape.topCount)"), (key("sample"), "\(shape.sampleCount)"),
                (key("scored_from"), "\(plan.windows[0].scored.lowerBound)"),
            ], name: name)
    }
}
