import ArgumentParser
import Conversion
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
            token; ids are taken as they are, a text gets the special tokens that the model expects around one. With \
            --layout, a mixed sequence of tokens and a graft's masks: `z`, `logits` (also as `base_logits`) of all \
            rows, `sampler_logits` of the mask rows given the true token before.
            """)

    @Argument(help: "A Hub directory, a .safetensors or a .gguf.")
    var model: String

    @Option(help: "A JSON array of token ids.")
    var tokens: String?

    @Option(help: "A text file.")
    var text: String?

    @Option(name: .shortAndLong, help: "The file to write.")
    var output: String

    @Option(help: "A graft, for --layout (default: the model's own).")
    var graft: String?

    @Option(
        help: "A safetensors file with a mixed sequence: layout.kind, layout.token, layout.position, layout.block.")
    var layout: String?

    @Flag(
        help:
            "With --layout: take a graft that was made for another file of the same shape, when a short run accepts its drafts."
    )
    var trustBase = false

    @Flag(help: "Replace the output when it exists.")
    var force = false

    @OptionGroup var runtime: RuntimeOptions
    @OptionGroup var common: CommonOptions

    func validate() throws {
        guard tokens == nil || text == nil, tokens ?? text ?? layout != nil else {
            throw ValidationError("give --tokens or --text, or --graft with --layout (which brings its own tokens)")
        }
        if graft != nil, layout == nil { throw ValidationError("--graft needs --layout") }
    }

    private struct Report: Encodable {
        var tokens: Int
        var vocabulary: Int
        var output: String
    }

    func run() throws {
        let model = try runtime.load(model, common: common)
        if let layout { return try writeMixed(model, layout) }
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

    /// Hidden rows, logits and the sampler's logits of a mixed sequence.
    private func writeMixed(_ model: LanguageModel, _ layout: String) throws {
        guard let graft = try graft.map({ try GraftReader.read($0, for: model.graph) }) ?? Graft.inside(model.graph)
        else {
            throw RuntimeError.options("--layout needs a graft: give --graft")
        }
        let sequence = try MixedSequence(file: layout)
        let loaded = try GraftTrial.admit(
            graft, to: model, trusted: trustBase, progress: ProgressLine(quiet: common.quiet || common.json).handler)
        let results = try sequence.evaluate(model.transformer, graft: loaded, cache: runtime.cache.precision)
        try results.write(to: output, configuration: model.configuration, overwrites: force)
        if common.json {
            try Console.json(
                Report(
                    tokens: sequence.rows.count, vocabulary: model.configuration.vocabularySize, output: output))
        }
    }
}
