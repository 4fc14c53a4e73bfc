import Conversion
import Foundation
import Kernels
import Quantization
import TensorFiles
import TestSupport
import Testing

/// Runs of the quantizer: one file, however the work is divided, threaded or interrupted.
@Suite struct QuantizationRunTests {
    static func planned(
        _ output: URL, _ base: String = "q4_k_m", method: BlockMethod = .search,
        _ adjust: (inout QuantizationRequest) -> Void = { _ in }
    ) throws -> PlannedQuantization {
        var request = QuantizationRequest(
            model: ConversionTests.model, output: output.path, choice: .recipe(Recipe(base: base, method: method)))
        request.method = method
        adjust(&request)
        return try request.planned()
    }

    private struct Interruption: Error {}

    /// The plan with one tensor that cannot be made.
    private static func broken(_ plan: ConversionPlan, at position: Int) -> ConversionPlan {
        var broken = plan
        let index = plan.output.writingOrder[position]
        let entry = plan.entries[index]
        broken.entries[index] = .init(
            entry.declaration, role: entry.role,
            rows: .made(preparationBytes: 0, rowBytes: 0, prepare: { { _ in throw Interruption() } }),
            sourceType: entry.sourceType, sourceByteCount: entry.sourceByteCount, fate: entry.fate)
        return broken
    }

    @Test func aRunStoppedAtAnyTensorIsGoneOnWithToTheSameBytes() throws {
        try ConversionTests.inFolder { folder in
            let straight = folder.appendingPathComponent("straight/model.gguf")
            let whole = try Self.planned(straight)
            try ConversionEngine(.init(threads: 2)).run(whole.plan, folder: whole.folder)
            let expected = try ConversionTests.bytes(straight)
            for position in whole.plan.entries.indices {
                let output = folder.appendingPathComponent("\(position)/model.gguf")
                let planned = try Self.planned(output)
                #expect(throws: Interruption.self) {
                    try ConversionEngine(.init(threads: 2)).run(
                        Self.broken(planned.plan, at: position), folder: planned.folder)
                }
                #expect(!FileManager.default.fileExists(atPath: output.path))
                try ConversionEngine(.init(threads: 1, resumes: true)).run(planned.plan, folder: planned.folder)
                #expect(try ConversionTests.bytes(output) == expected, "stopped at tensor \(position)")
            }
        }
    }

    /// Tensors of another recipe are not gone on with, and stay for who would go on with their own.
    @Test func anotherRecipeIsNotGoneOnWith() throws {
        try ConversionTests.inFolder { folder in
            let output = folder.appendingPathComponent("model.gguf")
            let first = try Self.planned(output, "q4_0")
            #expect(throws: Interruption.self) {
                try ConversionEngine(.init(threads: 2)).run(Self.broken(first.plan, at: 9), folder: first.folder)
            }
            let resuming = ConversionEngine(.init(threads: 2, resumes: true))
            let second = try Self.planned(output, "q5_1")
            let error = #expect(throws: TensorFileError.self) { try resuming.run(second.plan, folder: second.folder) }
            #expect(error?.description.contains("begun with other input or options") == true)
            try resuming.run(first.plan, folder: first.folder)
            #expect(try Checkpoint.open(output.path)["blk.0.attn_q.weight"]?.type == .q4_0)
        }
    }

    @Test(arguments: [BlockMethod.nearest, .search, .gptq])
    func bytesDependOnNeitherThreadsNorMemoryNorParts(method: BlockMethod) throws {
        try ConversionTests.inFolder { folder in
            let calibration = try SyntheticCalibration(in: folder)
            func planned(_ name: String) throws -> PlannedQuantization {
                try Self.planned(folder.appendingPathComponent("\(name)/model.gguf"), "q4_0", method: method) {
                    $0.importance = calibration.importance
                    $0.hessians = method == .gptq ? calibration.hessians : nil
                }
            }
            var files: [Data] = []
            for (threads, budget) in [(1, 96 << 20), (2, 1 << 18), (3, 1 << 16)] {
                let whole = try planned("\(threads)")
                try ConversionEngine(.init(threads: threads, memoryBudget: budget)).run(
                    whole.plan, folder: whole.folder)
                files.append(try ConversionTests.bytes(folder.appendingPathComponent("\(threads)/model.gguf")))
            }
            #expect(files[0] == files[1] && files[0] == files[2])

            let divided = try planned("divided")
            let paths = try [2, 4, 1, 3].map { number in
                let part = try divided.plan.part(number, of: 4, name: "part-\(number)")
                try ConversionEngine(.init(threads: number)).run(part, folder: folder.path)
                return folder.appendingPathComponent("part-\(number)").path
            }
            let joined = folder.appendingPathComponent("joined")
            try ConversionEngine(.init(threads: 2)).run(
                JoinPlan(paths).plan(name: "model.gguf"), folder: joined.path)
            #expect(try ConversionTests.bytes(joined.appendingPathComponent("model.gguf")) == files[0])
        }
    }

    /// Without an importance matrix the norms' gains weigh the columns, but not for the types that are written for speed.
    @Test(arguments: [ElementType.iq4_NL, .q4_0])
    func normsWeighColumnsWhereNobodyMeasuredThem(type: ElementType) throws {
        try ConversionTests.inFolder { folder in
            let output = folder.appendingPathComponent("model.gguf")
            let planned = try Self.planned(output) { $0.choice = .uniform(type) }
            try ConversionEngine(.init(threads: 2)).run(planned.plan, folder: planned.folder)
            let made = try Checkpoint.open(output.path)
            let source = try Checkpoint.open(ConversionTests.model)
            let name = "blk.1.ffn_up.weight"
            let tensor = try #require(source["model.layers.1.mlp.up_proj.weight"])
            let gains = try #require(made["blk.1.ffn_norm.weight"]).floats()
            let values = try tensor.floats()
            let weights = gains.map { $0 * $0 }
            func encoded(_ importance: [Float]) throws -> [Float] {
                let bytes = try BlockCodec.encode(
                    type, .search, values, rowLength: tensor.rowLength, importance: importance)
                return try BlockCodec.decode(type, unsafe bytes.span.bytes, count: values.count)
            }
            let found = try #require(made[name])
            #expect(found.type == type)
            #expect(try found.floats() == encoded(type == .iq4_NL ? weights : []))
            #expect(try encoded(weights) != encoded([]))
        }
    }

    @Test func plannedMemoryKeepsToTheBudget() throws {
        try ConversionTests.inFolder { folder in
            let plan = try Self.planned(folder.appendingPathComponent("model.gguf")).plan
            var last = 0
            for budget in [1 << 20, 4 << 20, 32 << 20] {
                let peak = ConversionEngine(.init(threads: 2, memoryBudget: budget)).peakWorkBytes(plan)
                #expect(peak > 0 && peak <= budget)
                #expect(peak >= last)
                last = peak
            }
        }
    }

    /// QF-02: rows of 172 are whole blocks of nothing but single floats, rows of 64 of no K type.
    @Test func rowsThatDoNotDivideFallBackAndThePlanSaysSo() throws {
        let planned = try Self.planned(URL(fileURLWithPath: "/nowhere/model.gguf")) { $0.isDryRun = true }
        let down = try #require(planned.types["blk.0.ffn_down.weight"])
        #expect(down.type == .f16 && down.wanted == .q4_K)
        let gate = try #require(planned.types["blk.0.ffn_gate.weight"])
        #expect(gate.type == .q5_0 && gate.wanted == .q4_K)
        let fate = planned.plan.entries.first { $0.declaration.name == "blk.0.ffn_down.weight" }?.fate
        #expect(fate?.contains("rows of 172 are no whole blocks of Q4_K") == true)
        let norm = try #require(planned.types["blk.0.ffn_norm.weight"])
        #expect(norm.type == .f32 && norm.wanted == nil)
    }
}
