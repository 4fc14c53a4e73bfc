import ArgumentParser
import Foundation
import Runtime
import TensorFiles

struct RunCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Continues prompts.",
        discussion: """
            A prompt is put into the model's chat template when it has one that can be read, unless --raw is given or \
            the prompt is a text to continue. The chain of choice: penalties, temperature, top-k, top-p, min-p, draw.
            """)

    @Argument(help: "A Hub directory, a .safetensors or a .gguf.")
    var model: String

    @Option(name: .shortAndLong, help: "The prompt.")
    var prompt: String?

    @Option(name: .shortAndLong, help: "A file with the prompt.")
    var file: String?

    @Option(help: "A JSON array of token ids, or of arrays of them.")
    var tokens: String?

    @Option(help: "JSON lines of prompts, plain or .gz: prompt, turns, question or text; category.")
    var prompts: String?

    @Option(name: .customShort("n"), help: "Most tokens to write for each prompt.")
    var limit: Int = 128

    @Option(help: "Most prompts to take from --prompts.")
    var promptLimit: Int?

    @Option(help: "Stop where this text begins; may be given several times.")
    var stop: [String] = []

    @Flag(help: "Go on past tokens that end a text.")
    var ignoreEnd = false

    @Flag(help: "Take prompts as they are, without a chat template.")
    var raw = false

    @OptionGroup var decoding: DecodingOptions
    @OptionGroup var sampling: SamplingArguments
    @OptionGroup var runtime: RuntimeOptions
    @OptionGroup var common: CommonOptions

    func validate() throws {
        guard [prompt, file, tokens, prompts].compactMap({ $0 }).count == 1 else {
            throw ValidationError("give one of -p, -f, --tokens and --prompts")
        }
        if limit < 1 { throw ValidationError("-n must be at least 1, not \(limit)") }
    }

    func run() throws {
        let model = try runtime.load(model, common: common)
        let inputs = try PromptReader(model: model, raw: raw).read(
            prompt: prompt, file: file, tokens: tokens, prompts: prompts, limit: promptLimit)
        if !common.quiet, let note = inputs.note { Console.standardError(note + "\n") }
        let longest = inputs.prompts.map(\.tokens.count).max() ?? 0
        let capacity = try runtime.capacity(needed: longest + limit, of: model)
        runtime.announce(model, capacity: capacity, common: common)
        let graft = try decoding.loadGraft(model, trial: inputs.prompts.first?.tokens, common: common)
        let decoder = try decoding.decoder(
            model, graft: graft, capacity: capacity, cache: runtime.cache.precision, sampling: sampling.options)
        let generator = Generator(
            limit: limit, stops: stop, endTokens: ignoreEnd ? [] : model.endTokens, tokenizer: model.tokenizer)
        var report = RunReport(decoder: decoder.name)
        for input in inputs.prompts {
            let shows = !common.json
            let result = try generator.run(decoder, prompt: input.tokens, capacity: capacity) { text in
                if shows { Console.standardOutput(text) }
            }
            if shows {
                let ids = model.tokenizer == nil ? result.tokens.map(String.init).joined(separator: " ") : ""
                Console.standardOutput(ids + "\n")
            }
            report.add(result, category: input.category)
        }
        if let multi = decoder as? MultiTokenDecoder {
            report.drafts = multi.draftCounts
            if let warning = multi.draftCounts.warning { Console.standardError("foretoken: \(warning)\n") }
        }
        if common.json { try Console.json(report) } else if !common.quiet { Console.standardError(report.summary) }
    }
}

/// What `run --json` prints.
struct RunReport: Encodable {
    struct Item: Encodable {
        var tokens: [Int]
        var text: String
        var steps: Int
        var seconds: Double
        var promptTokens: Int
        var promptSeconds: Double
        var ending: Generation.Ending
        var category: String?
    }

    var decoder: String
    var results: [Item] = []
    var steps = 0
    var tokens = 0
    var seconds = 0.0
    var promptTokens = 0
    var promptSeconds = 0.0
    var tokensPerSecond = 0.0
    var tokensPerStep = 0.0
    var secondsPerStep = 0.0
    var layersSeconds = 0.0
    var attentionSeconds = 0.0
    var unembeddingSeconds = 0.0
    var samplerSeconds = 0.0
    var plannerSeconds = 0.0
    var drafts: DraftCounts?

    init(decoder: String) { self.decoder = decoder }

    mutating func add(_ result: Generation, category: String?) {
        let s = result.statistics
        results.append(
            Item(
                tokens: result.tokens, text: result.text, steps: s.steps, seconds: s.seconds,
                promptTokens: s.promptTokens, promptSeconds: s.promptSeconds, ending: result.ending,
                category: category))
        steps += s.steps
        tokens += result.tokens.count
        seconds += s.seconds
        promptTokens += s.promptTokens
        promptSeconds += s.promptSeconds
        layersSeconds += s.layersSeconds
        attentionSeconds += s.attentionSeconds
        unembeddingSeconds += s.unembeddingSeconds
        samplerSeconds += s.samplerSeconds
        plannerSeconds += s.plannerSeconds
        tokensPerSecond = seconds > 0 ? Double(tokens) / seconds : 0
        tokensPerStep = steps > 0 ? Double(tokens) / Double(steps) : 0
        secondsPerStep = steps > 0 ? seconds / Double(steps) : 0
    }

    var summary: String {
        String(
            format: "%@: %d tokens in %d steps, %.2f s: %.1f tokens/s, %.2f tokens a step, %.2f ms a step\n",
            decoder, tokens, steps, seconds, tokensPerSecond, tokensPerStep, 1000 * secondsPerStep)
            + String(
                format: "prompt: %d tokens, %.2f s; layers %.2f s, attention %.2f s, unembedding %.2f s, "
                    + "sampler %.2f s, planner %.2f s\n",
                promptTokens, promptSeconds, layersSeconds, attentionSeconds, unembeddingSeconds, samplerSeconds,
                plannerSeconds) + draftSummary
    }

    private var draftSummary: String {
        guard let drafts else { return "" }
        let depths = zip(drafts.rightByDepth, drafts.triedByDepth).map { right, tried in
            tried == 0 ? "-" : String(format: "%.0f %%", 100 * Double(right) / Double(tried))
        }
        return "drafts: \(drafts.speculated) fed, \(drafts.accepted) accepted"
            + (depths.isEmpty ? "\n" : "; right by mask, those before it right: \(depths.joined(separator: ", "))\n")
    }
}
