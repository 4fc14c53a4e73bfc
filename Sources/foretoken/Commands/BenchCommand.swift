import ArgumentParser
import Foundation
import Kernels
import ModelGraph
import Quantization
import Runtime
import TensorFiles

struct BenchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Measures how fast a model runs here, beside what the machine can do.",
        discussion: """
            Prompt and decoding in tokens/s, and the time of one forward pass by its number of rows with all logits. \
            With --shape, a model of a config.json's shape with random weights: what would it do on this machine?
            """)

    @Argument(help: "A Hub directory, a .safetensors or a .gguf.")
    var model: String?

    @Option(help: "A config.json, or a folder that holds one; random weights take the place of the model's.")
    var shape: String?

    @Option(help: "With --shape: a preset of the quantizer, or one type for all matrices (iq4_xs, q5_0, …).")
    var type: String = "q4_0"

    @Option(help: "Numbers of rows, separated by commas.")
    var rows: String = "1,2,4,8,9,16,25,32,81"

    @Option(help: "Tokens to decode.")
    var tokens: Int = 64

    @Option(help: "Tokens of the prompt.")
    var promptTokens: Int = 512

    @Option(help: "How long passes of one size are repeated, in seconds (at least three times).")
    var seconds: Double = 1

    @OptionGroup var runtime: RuntimeOptions
    @OptionGroup var common: CommonOptions

    private var sizes: [Int]? {
        let sizes = rows.split(separator: ",").map { Int($0) }
        let valid = sizes.compactMap { $0 }.filter { (1...4096).contains($0) }
        return valid.count == sizes.count && !valid.isEmpty ? valid : nil
    }

    func validate() throws {
        guard (model == nil) != (shape == nil) else { throw ValidationError("give a model or --shape") }
        guard sizes != nil else {
            throw ValidationError("--rows takes numbers from 1 to 4096 separated by commas, not \"\(rows)\"")
        }
        if tokens < 2 { throw ValidationError("--tokens must be at least 2, not \(tokens)") }
        if promptTokens < 1 { throw ValidationError("--prompt-tokens must be at least 1, not \(promptTokens)") }
        if !(seconds >= 0 && seconds <= 3600) { throw ValidationError("--seconds must be from 0 to 3600") }
    }

    func run() throws {
        let pool = try WorkerPool(threads: common.threadCount)
        let line = ProgressLine(quiet: common.quiet)
        let (graph, name) = try graph()
        let transformer = try Transformer(
            graph, precision: runtime.activations.precision, pool: pool, progress: line.handler)
        var options = Benchmark.Options()
        options.rows = sizes ?? []
        options.decodedTokens = tokens
        options.promptTokens = promptTokens
        options.precision = runtime.cache.precision
        options.secondsPerSize = seconds
        let result = try Benchmark.run(transformer, model: name, options: options, progress: line.handler)
        if common.json { try Console.json(result) } else { Console.standardOutput(Self.table(result)) }
    }

    private func graph() throws -> (ModelGraph, String) {
        if let model { return (try ModelGraph.open(model).canonical(), model) }
        let path = shape ?? ""
        let outline = try ModelGraph.open(path, weights: .mayBeAbsent)
        let graph: ModelGraph
        if let preset = Preset(name: type) {
            graph = try RandomWeights.graph(outline.configuration, preset: preset)
        } else if let wanted = ElementType(anyCase: type), wanted.ggmlIdentifier != nil {
            graph = try RandomWeights.graph(outline.configuration) { _, shape in
                [wanted, .q8_0, .f16].first { $0.byteCount(elements: shape[shape.count - 1]) != nil } ?? .f16
            }
        } else {
            throw RuntimeError.options("--type \(type) names no preset and no type; try q4_0, q4_k_m, q8_0, f16")
        }
        return (graph, "\(path), random \(type.lowercased())")
    }

    static func table(_ b: Benchmark) -> String {
        let (read, multiply) = (b.machine.readBytesPerSecond, b.machine.multiplyAddsPerSecond)
        func share(_ value: Double, _ limit: Double) -> String { String(format: "%.0f %%", 100 * value / limit) }
        var text = """
            \(b.model): \(ByteSize.text(b.weightBytes)) of weights, \(b.machine.threads) threads, \
            \(b.machine.instructionSet)
            machine: reads \(String(format: "%.1f", read / 1e9)) GB/s, multiplies and adds \
            \(String(format: "%.0f", multiply / 1e9)) G/s
            prompt of \(b.prompt.tokens): \(String(format: "%.1f", b.prompt.tokensPerSecond)) tokens/s, \
            \(share(b.prompt.multiplyAddsPerSecond, multiply)) of the multiply-adds
            decoding: \(String(format: "%.1f", b.decode.tokensPerSecond)) tokens/s, \
            \(String(format: "%.1f", b.decode.bytesPerSecond / 1e9)) GB/s, \(share(b.decode.bytesPerSecond, read)) of \
            the bandwidth
            peak memory \(ByteSize.text(b.peakMemoryBytes))

            rows        ms   T/T(1)   G/s   of peak

            """
        for f in b.forward {
            text += String(
                format: "%4d %9.2f %8.2f %5.0f   %@\n", f.rows, 1000 * f.seconds, f.ratio,
                f.multiplyAddsPerSecond / 1e9, share(f.multiplyAddsPerSecond, multiply))
        }
        return text
    }
}
