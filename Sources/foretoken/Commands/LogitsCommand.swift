import ArgumentParser
import Foundation
import ModelGraph
import Runtime
import TensorFiles
import Tokenizers

struct LogitsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "logits",
        abstract: "Writes the logits of every position of a text, for other programs.",
        discussion: """
            OUT.safetensors holds `logits`, [tokens, vocabulary] in float32. The text is one sequence from its first \
            token; ids are taken as they are, a text gets the special tokens that the model expects around one.
            """)

    @Argument(help: "A Hub directory, a .safetensors or a .gguf.")
    var model: String

    @Option(help: "A JSON array of token ids.")
    var tokens: String?

    @Option(help: "A text file.")
    var text: String?

    @Option(name: .shortAndLong, help: "The file to write.")
    var output: String

    @Flag(help: "Replace the output when it exists.")
    var force = false

    @OptionGroup var runtime: RuntimeOptions
    @OptionGroup var common: CommonOptions

    func validate() throws {
        guard (tokens == nil) != (text == nil) else { throw ValidationError("give one of --tokens and --text") }
    }

    private struct Report: Encodable {
        var tokens: Int
        var vocabulary: Int
        var output: String
    }

    func run() throws {
        let model = try runtime.load(model, common: common)
        let ids: [Int]
        if let tokens {
            let lists = try TokenFile.read(tokens)
            guard lists.count == 1 else {
                throw RuntimeError.promptFile(path: tokens, line: nil, "holds several lists; logits takes one")
            }
            ids = lists[0]
        } else {
            let content = try MappedFile(path: text ?? "").withBytes { $0.repairedText }
            ids = try model.requireTokenizer().encode(content, addSpecialTokens: true)
        }
        let limit = model.configuration.contextLength
        guard ids.count <= limit else { throw RuntimeError.contextTooLong(needed: ids.count, limit: limit) }
        let capacity = try runtime.capacity(needed: ids.count, of: model)
        runtime.announce(model, capacity: capacity, common: common)
        try LogitsExport.write(
            ids, sequence: try model.sequence(positions: capacity, precision: runtime.cache.precision), to: output,
            overwrites: force, progress: ProgressLine(quiet: common.quiet).handler)
        if common.json {
            try Console.json(
                Report(tokens: ids.count, vocabulary: model.configuration.vocabularySize, output: output))
        }
    }
}
