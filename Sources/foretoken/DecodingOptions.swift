import ArgumentParser
import Conversion
import Foundation
import Kernels
import ModelGraph
import Runtime
import TensorFiles

/// How tokens are decoded: one a pass, or several with a graft or with drafts from the text.
struct DecodingOptions: ParsableArguments {
    enum Choice: String, ExpressibleByArgument, CaseIterable { case plain, linear, quadratic, adaptive }

    @Option(help: "A graft: a sidecar, or a model with a graft inside (default: the model's own).")
    var graft: String?

    @Flag(help: "Take a graft that was made for another file of the same shape, when a short run accepts its drafts.")
    var trustBase = false

    @Option(
        help: "plain, linear, quadratic or adaptive (default: adaptive with a graft or --lookup, plain without).")
    var decode: Choice?

    @Option(help: "Masks of a block (default: the graft's).")
    var masks: Int?

    @Option(help: "Candidates that the sampler head scores for each mask; 0: the whole vocabulary.")
    var shortlist: Int = 32

    @Option(help: "Longest draft taken from the text itself, where its last tokens occurred before (0: none).")
    var lookup: Int = 0

    @Flag(help: "Print a line of JSON on standard error for each step.")
    var trace = false

    @Flag(help: "Measure anew what rows cost on this machine.")
    var measure = false

    func validate() throws {
        if let masks, masks < 0 { throw ValidationError("--masks must be 0 or more, not \(masks)") }
        if shortlist < 0 || lookup < 0 { throw ValidationError("--shortlist and --lookup cannot be negative") }
        if decode == .plain, masks != nil || lookup > 0 {
            throw ValidationError("--decode plain makes no drafts: leave out --masks and --lookup")
        }
    }

    /// The graft for a model, checked against it; `nil` when there is none.
    func loadGraft(_ model: LanguageModel, trial prompt: [Int]?, common: CommonOptions) throws -> LoadedGraft? {
        guard decode != .plain else { return nil }
        let found: Graft?
        if let graft {
            found = try GraftReader.read(graft, for: model.graph)
        } else {
            found = try Graft.inside(model.graph)
        }
        guard let found else { return nil }
        return try GraftTrial.admit(
            found, to: model, trusted: trustBase, prompt: prompt,
            progress: ProgressLine(quiet: common.quiet || common.json).handler)
    }

    /// The decoder for the options: plain where nothing drafts.
    func decoder(
        _ model: LanguageModel, graft: LoadedGraft?, capacity: Int, cache: KeyValueStore.Precision,
        sampling: SamplingOptions
    ) throws -> any TokenDecoder {
        let sequence = try model.sequence(positions: capacity, precision: cache, adaptation: graft)
        let drafts = graft != nil || lookup > 0
        guard drafts, decode != .plain else {
            if let decode, decode != .plain {
                throw RuntimeError.options("--decode \(decode.rawValue) needs --graft or --lookup")
            }
            if masks != nil { throw RuntimeError.options("--masks needs --graft") }
            return PlainDecoder(sequence, sampling: sampling)
        }
        let layout = decode.flatMap { MultiTokenDecoder.Layout(rawValue: $0.rawValue) } ?? .adaptive
        let costs =
            layout == .adaptive
            ? try StepCosts.stored(
                model.transformer, graft: graft, shortlist: shortlist, cache: cache, measuresAnew: measure) : nil
        let decoder = try MultiTokenDecoder(
            sequence, graft: graft,
            options: .init(layout: layout, masks: masks, shortlist: shortlist, lookup: lookup), sampling: sampling,
            costs: costs)
        if trace {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys]
            decoder.onTrace = { line in
                guard let data = try? encoder.encode(line) else { return }
                Console.standardError(String(decoding: data, as: UTF8.self) + "\n")
            }
        }
        return decoder
    }
}
