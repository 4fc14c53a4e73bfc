import ArgumentParser
import Foundation
import Kernels
import Quantization
import Runtime
import TensorFiles
import Tokenizers

struct CalibrateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "calibrate",
        abstract: "Measures which inputs of each matrix matter, for quantize --importance.",
        discussion: """
            Runs the model over a text and writes an importance matrix in llama.cpp's GGUF layout. It holds, for other \
            programs, the mean squares of the columns, and for quantize also the directions in which inputs are \
            large; one window of text takes a third off what 4 bits lose, ten thousand tokens two fifths. With \
            --hessians it also writes, beside it, the second moments that quantize --method gptq needs.
            """)

    @Argument(help: "The model: a Hub directory or a GGUF, best in its original precision.")
    var model: String

    @Option(help: "The text to run over.")
    var text: String

    @Option(name: [.short, .long], help: "The importance matrix to write, a .gguf file.")
    var output: String

    @Option(help: "Use at most this many tokens of the text.")
    var tokens: Int?

    @Option(help: "Tokens of a window.")
    var window = 512

    @Flag(help: "Also write second moments, to OUTPUT with .hessians.safetensors instead of .gguf.")
    var hessians = false

    @Flag(help: "Go on with an interrupted run.")
    var resume = false

    @Flag(help: "Replace an output that exists.")
    var force = false

    @OptionGroup var common: CommonOptions

    func validate() throws {
        if let tokens, tokens < 1 { throw ValidationError("--tokens must be at least 1, not \(tokens)") }
        if window < 2 { throw ValidationError("--window must be at least 2, not \(window)") }
    }

    private struct Report: Encodable {
        var output: String
        var hessians: String?
        var tokens: Int
        var tensors: Int
    }

    func run() throws {
        let line = ProgressLine(quiet: common.quiet)
        let pool = try WorkerPool(threads: common.threadCount)
        let language = try LanguageModel(path: model, precision: .float32, pool: pool, progress: line.handler)
        let content = try MappedFile(path: text).withBytes { $0.repairedText }
        var ids = try language.requireTokenizer().encode(content, addSpecialTokens: false)
        if let tokens { ids = Array(ids.prefix(tokens)) }
        var calibration = Calibration(language, dataset: URL(fileURLWithPath: text).lastPathComponent)
        calibration.windowSize = window
        calibration.wantsMoments = hessians
        calibration.resumes = resume
        calibration.overwrites = force
        let result = try calibration.run(ids, to: output, progress: line.handler)
        let report = Report(
            output: output, hessians: hessians ? HessianStore.path(beside: output) : nil, tokens: result.tokens,
            tensors: result.importance.entries.count)
        if common.json {
            try Console.json(report)
        } else if !common.quiet {
            Console.standardOutput("\(output): \(report.tensors) matrices over \(report.tokens) tokens\n")
        }
    }
}
