import Conversion
import Foundation
import Kernels
import Quantization
import TensorFiles
import TestSupport
import Testing

/// What the quantizer refuses, in which words, and what its flags make of it.
@Suite struct QuantizationRefusalTests {
    /// fixtures/stories260K as a GGUF of float32, with some values of one tensor overwritten.
    private static func damaged(in folder: URL, _ name: String, _ values: [(row: Int, column: Int, Float)]) throws
        -> String
    {
        let file = folder.appendingPathComponent("damaged.gguf")
        try ConversionTests.convert(ConversionTests.model, to: file, .uniform(.f32))
        var data = try Data(contentsOf: file)
        let tensor = try #require(try Checkpoint.open(file.path)[name])
        let wanted = try tensor.floats(rows: 0..<1).flatMap(Self.bytes)
        let start = try #require(data.firstRange(of: Data(wanted))?.lowerBound)
        for (row, column, value) in values {
            let at = start + 4 * (row * tensor.rowLength + column)
            data.replaceSubrange(at..<at + 4, with: Self.bytes(value))
        }
        try data.write(to: file)
        return file.path
    }

    private static func bytes(_ value: Float) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.appendLittleEndian(value.bitPattern)
        return bytes
    }

    private static func planned(
        _ model: String, _ output: URL, _ choice: QuantizationRequest.Choice,
        _ adjust: (inout QuantizationRequest) -> Void = { _ in }
    ) throws -> PlannedQuantization {
        var request = QuantizationRequest(model: model, output: output.path, choice: choice)
        adjust(&request)
        return try request.planned()
    }

    private static func run(_ planned: PlannedQuantization, threads: Int = 2) throws {
        try ConversionEngine(.init(threads: threads)).run(planned.plan, folder: planned.folder)
    }

    /// QP-04.
    @Test func valuesThatAreNoNumbersAreNamedOrCounted() throws {
        try ConversionTests.inFolder { folder in
            let model = try Self.damaged(
                in: folder, "blk.3.attn_k.weight", [(5, 7, .nan), (5, 9, .infinity), (30, 0, -.infinity)])
            let output = folder.appendingPathComponent("model.gguf")
            let recipe = QuantizationRequest.Choice.recipe(Recipe(base: "q8_0"))
            let expected = QuantizationError.nonfinite(
                tensor: "blk.3.attn_k.weight", row: 5, column: 7, value: "NaN")
            #expect(throws: expected) { try Self.run(Self.planned(model, output, recipe)) }
            #expect(expected.description.contains("row 5, column 7 is NaN"))
            #expect(!FileManager.default.fileExists(atPath: output.path))

            for threads in [1, 3] {
                let output = folder.appendingPathComponent("\(threads)/model.gguf")
                let planned = try Self.planned(model, output, recipe) { $0.replacesNonfinite = true }
                try Self.run(planned, threads: threads)
                #expect(planned.tally.replacedCount == 3)
                let tensor = try #require(try Checkpoint.open(output.path)["blk.3.attn_k.weight"])
                let row = try tensor.floats(rows: 5..<6)
                #expect(row[7] == 0 && row[9] == 0 && row.allSatisfy(\.isFinite))
            }
        }
    }

    /// QP-03: the error names the smallest size, and that size can be had.
    @Test func aBudgetThatCannotBeMetNamesTheSmallestSize() throws {
        try ConversionTests.inFolder { folder in
            let output = folder.appendingPathComponent("model.gguf")
            var smallest = 0
            do {
                _ = try Self.planned(ConversionTests.model, output, .size(100_000))
                Issue.record("100,000 bytes cannot be enough")
            } catch QuantizationError.budgetTooSmall(let requested, let size) {
                #expect(requested == 100_000 && size > requested)
                smallest = size
            }
            #expect(throws: QuantizationError.budgetTooSmall(requested: smallest - 1, smallest: smallest)) {
                try Self.planned(ConversionTests.model, output, .size(smallest - 1))
            }
            try Self.run(Self.planned(ConversionTests.model, output, .size(smallest)))
            #expect(try ConversionTests.bytes(output).count == smallest)
        }
    }

    @Test(arguments: [250_000, 283_424, 300_001, 400_000])
    func budgetsAreKeptToTheByteAndNearlySpent(budget: Int) throws {
        try ConversionTests.inFolder { folder in
            let output = folder.appendingPathComponent("model.gguf")
            let planned = try Self.planned(ConversionTests.model, output, .size(budget))
            try Self.run(planned)
            let size = try ConversionTests.bytes(output).count
            #expect(size == planned.plan.output.byteCount && size == planned.chosen?.bytes)
            #expect(size <= budget && Double(size) > 0.985 * Double(budget))
            #expect(planned.frontier.count > 2)
            #expect(zip(planned.frontier, planned.frontier.dropFirst()).allSatisfy { $0.bytes < $1.bytes })
            #expect(zip(planned.frontier, planned.frontier.dropFirst()).allSatisfy { $0.cost >= $1.cost })
        }
    }

    /// IM-05.
    @Test func aMatrixOfAnotherModelIsRefusedWithWhatDiffers() throws {
        try ConversionTests.inFolder { folder in
            var matrix = ImportanceMatrix(datasets: ["none"], chunkCount: 1)
            matrix.entries["blk.0.attn_q.weight"] = SyntheticCalibration.entry(64)
            matrix.entries["blk.0.ffn_up.weight"] = SyntheticCalibration.entry(96)
            matrix.entries["blk.31.attn_q.weight"] = SyntheticCalibration.entry(64)
            let path = folder.appendingPathComponent("importance.gguf").path
            try matrix.write(to: path)
            let expected = QuantizationError.foreignImportance(
                file: path,
                [
                    "blk.0.ffn_up.weight has 96 columns there and 64 in the model",
                    "the model has no blk.31.attn_q.weight",
                ])
            #expect(throws: expected) {
                try Self.planned(
                    ConversionTests.model, folder.appendingPathComponent("model.gguf"),
                    .recipe(Recipe(base: "q4_0"))
                ) { $0.importance = path }
            }
        }
    }

    /// QP-05.
    @Test func quantizedWeightsAreRefusedUnlessAskedForAndTheLossIsMeasured() throws {
        try ConversionTests.inFolder { folder in
            let source = TestFiles.fixtures.appendingPathComponent("gguf/stories260K-q8_0.gguf").path
            let output = folder.appendingPathComponent("model.gguf")
            let recipe = QuantizationRequest.Choice.recipe(Recipe(base: "q4_0"))
            do {
                _ = try Self.planned(source, output, recipe)
                Issue.record("weights that were quantized before were taken without a word")
            } catch QuantizationError.alreadyQuantized(_, let type, let count) {
                #expect(type == .q8_0 && count == 31)
            }
            let planned = try Self.planned(source, output, recipe) { $0.requantizes = true }
            try Self.run(planned)
            let (before, after) = (try Checkpoint.open(source), try Checkpoint.open(output.path))
            let name = "blk.2.attn_output.weight"
            let (old, new) = (try #require(before[name]).floats(), try #require(after[name]).floats())
            let error = zip(old, new).reduce(0.0) { $0 + pow(Double($1.0 - $1.1), 2) }
            let energy = old.reduce(0.0) { $0 + pow(Double($1), 2) }
            let measured = try #require(planned.tally.relativeErrors[name])
            #expect(abs(measured - error / energy) < 1e-9 * measured)
            #expect(planned.tally.relativeErrors.count == planned.types.entries.count { $0.type == .q4_0 })
        }
    }
}
