import Foundation
import TensorFiles

/// A training run on disk: parameters, moments, the best so far, and how far it has come. A safetensors file whose
/// metadata holds a JSON document (formats/tuning-log.md, section 3); it appears whole or not at all.
struct TuningCheckpoint {
    static let key = "foretoken.tuning"
    private static let tensors = ["best", "moment1", "moment2", "parameters"]

    struct State: Codable {
        var version = 1
        var step: Int
        var bestStep: Int
        var bestAcceptance: Double?
        /// Of everything that the result depends on beside the options: model, start, text.
        var inputs: String
        /// Places for masks in a sequence that the memory budget allowed.
        var positions: Int
        /// The number of steps is an estimate from the time given.
        var timed: Bool?
        /// The first step's loss, by which divergence is told.
        var startingLoss: Double?
        var log: TuningLog
    }

    static func write(_ state: State, _ trainer: Trainer, to url: URL) throws {
        let document = String(decoding: try JSONEncoder().encode(state), as: UTF8.self)
        let matrices = [
            "best": trainer.best, "moment1": trainer.optimizer.moment1, "moment2": trainer.optimizer.moment2,
            "parameters": trainer.parameters.values,
        ]
        let declarations = try tensors.map {
            try TensorDeclaration(name: $0, shape: [trainer.parameters.layout.count], type: .f32)
        }
        let plan = try OutputPlan.safetensors(
            declarations, metadata: [(key, document)], name: url.lastPathComponent)
        let writer = try CheckpointWriter(
            plan, folder: url.deletingLastPathComponent().path,
            options: .init(overwrites: true, keepsPartial: false))
        for index in plan.writingOrder {
            try matrices[tensors[index]]!.view.withBytes { try writer.append($0) }
        }
        try writer.finish()
    }

    /// Fills the trainer with what the checkpoint holds.
    static func read(_ url: URL, into trainer: Trainer, inputs: String) throws -> State {
        func problem(_ reason: String) -> TuningError { .notACheckpoint(file: url.path, reason: reason) }
        let check = try CheckpointCheck.run(url.path)
        if let broken = check.problems.first(where: { $0.rule.severity != .note }) {
            throw problem("it is damaged: \(broken)")
        }
        guard let file = check.checkpoint else { throw problem("it cannot be read") }
        guard let text = file.files.first?.metadata.first(where: { $0.key == key })?.value else {
            throw problem("it has no \(key)")
        }
        guard let state = try? JSONDecoder().decode(State.self, from: Data(text.utf8)), state.version == 1 else {
            throw problem("\(key) is not what version 1 writes")
        }
        var differences: [String] = []
        if state.inputs != inputs { differences.append("the model, the graft it started from or the text differs") }
        var options = state.log.options
        // More steps may be asked for only where the schedule did not depend on their number.
        if options.decay == .flat || state.timed == true, trainer.options.steps > 0 {
            options.steps = trainer.options.steps
        }
        if trainer.options.steps == 0 { trainer.options.steps = options.steps }
        options.memory = trainer.options.memory
        if state.positions != trainer.positions {
            differences.append(
                "memory allowed \(state.positions) places for masks in a sequence, now \(trainer.positions)")
        }
        differences += options.differences(from: trainer.options)
        guard differences.isEmpty else { throw TuningError.otherRun(file: url.path, differences: differences) }
        let matrices = [
            "best": trainer.best, "moment1": trainer.optimizer.moment1, "moment2": trainer.optimizer.moment2,
            "parameters": trainer.parameters.values,
        ]
        for (name, matrix) in matrices {
            guard let tensor = file[name], tensor.type == .f32, tensor.elementCount == matrix.count else {
                throw problem("the tensor \(name) is missing or has another shape")
            }
            try FrozenMatrix.decode(tensor, rows: 0..<tensor.rowCount, into: matrix.view)
        }
        trainer.restore(step: state.step, bestStep: state.bestStep, bestAcceptance: state.bestAcceptance)
        return state
    }
}
