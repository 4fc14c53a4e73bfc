import Fidelity
import Foundation
import Kernels
import TensorFiles
import TestSupport
import Testing

/// The record of a reference: what it costs, what it loses, and what it refuses. formats/reference-record.md
@Suite struct RecordTests {
    /// Numbers of a normal distribution, the same every time.
    private struct Normals {
        private var state: UInt64

        init(seed: UInt64) { state = seed }

        mutating func next() -> Float {
            func uniform() -> Double {
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                return (Double(state >> 11) + 0.5) * 0x1p-53
            }
            return Float((-2 * log(uniform())).squareRoot() * cos(2 * .pi * uniform()))
        }
    }

    private static func exact(_ reference: [Float], _ candidate: [Float]) -> Double {
        let (p, q) = (RowComparer.logSumExp(reference.span), RowComparer.logSumExp(candidate.span))
        return zip(reference, candidate).reduce(0) { sum, pair in
            let (a, b) = (Double(pair.0) - p, Double(pair.1) - q)
            return sum + exp(a) * (a - b)
        }
    }

    /// Against Σ p ln(p/q) over the whole vocabulary, for candidates from nearly equal to unrelated.
    @Test(arguments: [Float(0.02), 0.15, 0.6, 3])
    func meanDivergenceIsThatOfWholeRows(noise: Float) {
        var normals = Normals(seed: 7)
        let shape = RecordShape(vocabulary: 4096)
        var (whole, recorded, variance) = (0.0, 0.0, 0.0)
        let rows = 400
        for number in 0..<rows {
            let reference = (0..<4096).map { _ in normals.next() * 2.5 }
            let candidate = reference.map { $0 + normals.next() * noise }
            let row = RecordedRow(reference.span, target: 5, number: number, shape: shape)
            let result = RowComparer.compare(row, candidate: candidate.span, target: 5)
            whole += Self.exact(reference, candidate)
            recorded += Double(result.divergence)
            variance += Double(result.variance)
        }
        let error = abs(recorded - whole)
        #expect(error <= 4 * variance.squareRoot() + 1e-4 * whole, "\(recorded / whole)")
        // The tail left out would be a fifth of it.
        #expect(error <= 0.03 * whole, "\(recorded / whole)")
    }

    @Test func recordIsATwentiethOfSixteenBitLogits() {
        for vocabulary in [4096, 32_000, 50_257, 128_256, 262_144] {
            let shape = RecordShape(vocabulary: vocabulary)
            #expect(Double(shape.rowByteCount) <= 0.05 * 2 * Double(vocabulary))
            #expect(shape.topCount > shape.sampleCount && shape.sampleCount >= 28)
        }
        let small = RecordShape(vocabulary: 60)
        #expect(small.topCount == 60 && small.sampleCount == 0)
    }

    @Test func rowsSurviveTheFile() throws {
        for vocabulary in [60, 4096, 70_000] {
            let shape = RecordShape(vocabulary: vocabulary)
            let logits = (0..<vocabulary).map { Float(($0 * 7919) % vocabulary) * 12 / Float(vocabulary) }
            let row = RecordedRow(logits.span, target: 1, number: 3, shape: shape)
            let bytes = row.encode(shape)
            #expect(bytes.count == shape.rowByteCount)
            #expect(MappedFile(bytes: bytes, name: "row").withBytes { RecordedRow(parsing: $0, shape) } == row)
            #expect(Set(row.top.map(\.token)).count == shape.topCount)
            #expect(row.sample.allSatisfy { draw in !row.top.contains { $0.token == draw.token } })
            let sum = row.top.reduce(Double(row.remainder)) { $0 + exp(-Double($1.level) / 2048) }
            #expect(abs(sum - 1) < 1e-3)
        }
    }

    private func recorded(_ body: (String, FidelityReport) throws -> Void) throws {
        let folder = try TestFiles.temporaryFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = folder.appendingPathComponent("record.safetensors").path
        var options = VerifyFixture.options
        options.record = .save(path: path, overwrites: false)
        try body(path, VerifyFixture.verify(VerifyFixture.path("gguf/stories260K-q4_0.gguf"), options: options))
    }

    @Test func savedRecordStandsInForTheReference() throws {
        try recorded { path, report in
            var options = VerifyFixture.options
            options.record = .read(path: path)
            let again = try VerifyFixture.verify(
                VerifyFixture.path("gguf/stories260K-q4_0.gguf"), text: nil, options: options)
            #expect(again.kl == report.kl)
            #expect(again.reference.perplexity == report.reference.perplexity)
            #expect(again.candidates[0].layers == report.candidates[0].layers)
            #expect(again.candidates[0].passages == report.candidates[0].passages)
            #expect(again.text == report.text)
        }
    }

    @Test func recordOfSomethingElseIsRefused() throws {
        try recorded { path, _ in
            let candidate = VerifyFixture.path("gguf/stories260K-q4_0.gguf")
            func differs(
                _ what: String, against reference: String = VerifyFixture.path("stories260K"), text: String? = nil,
                _ change: (inout Verification.Options) -> Void = { _ in }
            ) {
                var options = VerifyFixture.options
                options.record = .read(path: path)
                change(&options)
                #expect(
                    what
                        == found {
                            _ = try VerifyFixture.verify(
                                candidate, against: reference, text: text, options: options)
                        })
            }
            func found(_ body: () throws -> Void) -> String {
                do { try body() } catch FidelityError.recordDiffers(_, let what, _, _) { return what } catch {
                    return "\(error)"
                }
                return "nothing"
            }
            differs("reference's tensors", against: VerifyFixture.path("gguf/stories260K-f16.gguf"))
            differs("text", text: VerifyFixture.story.replacing("red", with: "blue"))
            differs("text", text: VerifyFixture.story) { $0.context = 64 }
            differs("cache") { $0.cache = .f32 }
        }
    }

    /// Each change breaks one rule, and the message names it.
    @Test func damagedRecordsAreRefused() throws {
        try recorded { path, _ in
            let whole = try Data(contentsOf: URL(fileURLWithPath: path))
            func rule(_ change: (inout Data) -> Void) throws -> String {
                var data = whole
                change(&data)
                #expect(data != whole)
                let damaged = path + ".damaged.safetensors"
                try data.write(to: URL(fileURLWithPath: damaged))
                var options = VerifyFixture.options
                options.record = .read(path: damaged)
                do {
                    _ = try VerifyFixture.verify(
                        VerifyFixture.path("gguf/stories260K-q4_0.gguf"), text: nil, options: options)
                } catch let error as FidelityError {
                    guard case .record(_, let rule, _) = error else { return "\(error)" }
                    #expect(error.kind == .input)
                    return rule
                }
                return "accepted"
            }
            func replace(_ old: String, _ new: String) -> (inout Data) -> Void {
                precondition(old.utf8.count == new.utf8.count)
                return { data in
                    guard let range = data.range(of: Data(old.utf8)) else { return }
                    data.replaceSubrange(range, with: Data(new.utf8))
                }
            }
            #expect(try rule(replace("reference.scored_from", "reference.scored_frog")) == "RR-01")
            #expect(try rule(replace("vocabulary\":\"512", "vocabulary\":\"5x2")) == "RR-01")
            #expect(try rule(replace("version\":\"1", "version\":\"2")) == "RR-02")
            #expect(try rule(replace("\"rows\":", "\"cows\":")) == "RR-03")
            #expect(try rule(replace("vocabulary\":\"512", "vocabulary\":\"000")) == "RR-04")
            #expect(try rule(replace("scored_from\":\"64", "scored_from\":\"99")) == "RR-05")
            #expect(try rule(replace("top\":\"64", "top\":\"63")) == "RR-05")
            #expect(
                try rule { $0.replaceSubrange($0.count - 376..<$0.count, with: Data(repeating: 255, count: 376)) }
                    == "RR-06")
        }
    }
}
