import ArgumentParser
import Kernels
import ModelGraph
import TensorFiles
import Tokenizers

struct InspectCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inspect",
        abstract: "Says what a model is: format, family, shape, size, types, tokenizer, graft.",
        discussion: """
            MODEL is a Hub directory, a .safetensors or a .gguf file. Only headers are read, unless --stats asks for \
            what the tensors hold. A Hub directory without its weights is told by its configuration and index.
            """)

    @Argument(help: "The model to look at.")
    var model: String

    @Flag(help: "List the tensors.")
    var tensors = false

    @Flag(help: "List the tensors with the range, mean and faults of their numbers; reads every byte.")
    var stats = false

    @OptionGroup var common: CommonOptions

    func run() throws {
        let report: InspectReport
        do throws(TensorFileError) {
            let checkpoint = try Checkpoint.open(model)
            report = InspectReport(checkpoint, listsTensors: tensors || stats)
        } catch {
            guard let outline = InspectReport(outlineOf: model, unless: error, listsTensors: tensors) else {
                throw error
            }
            report = outline
        }
        let complete = stats ? try measured(report) : report
        if common.json { try Console.json(complete) } else { Console.standardOutput(complete.text) }
    }

    private func measured(_ report: InspectReport) throws -> InspectReport {
        let checkpoint = try Checkpoint.open(model)
        let progress = ProgressLine(quiet: common.quiet || common.json)
        let total = checkpoint.byteCount
        var done = 0
        var report = report
        for (position, tensor) in checkpoint.tensors.enumerated() {
            report.tensors?[position].statistics = try TensorStatistics(of: tensor)
            done += tensor.byteCount
            progress.show(.init(stage: "inspect", completed: done, total: total, unit: .bytes))
        }
        return report
    }
}
