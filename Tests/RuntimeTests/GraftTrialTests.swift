import Foundation
import Kernels
import ModelGraph
import Runtime
import TensorFiles
import TestSupport
import Testing

/// A graft of another base, and what `--trust-base` asks of it.
@Suite struct GraftTrialTests {
    private static let pool = Result { try WorkerPool(threads: 2) }

    private static func model() throws -> LanguageModel {
        try LanguageModel(path: TestFiles.fixtures.appendingPathComponent("pycode").path, pool: pool.get())
    }

    private static func trained() throws -> Graft {
        try Graft.open(TestFiles.fixtures.appendingPathComponent("pycode-graft/pycode-graft.gguf").path)
    }

    /// The sentences of a refusal.
    private static func differences(_ body: () throws -> Void) throws -> [String] {
        do {
            try body()
        } catch ModelError.graft(.wrongBase(let differences)) {
            return differences
        }
        return []
    }

    @Test func aGraftOfTheModelItselfNeedsNoTrial() throws {
        let model = try Self.model()
        let graft = try GraftTrial.admit(Self.trained(), to: model, trusted: false)
        let counts = try GraftTrial.run(model, graft: graft)
        #expect(counts.warning == nil && counts.doubt == nil)
        #expect(Double(counts.rightByDepth[0]) > 0.3 * Double(counts.triedByDepth[0]))
    }

    @Test func aGraftOfAnotherFileIsRefusedUnlessTrustedAndItsDraftsFit() throws {
        let model = try Self.model()
        var graft = try Self.trained()
        graft.base = GraftBase(digest: String(repeating: "0", count: 32), configuration: model.configuration)
        let refusal = try Self.differences { _ = try GraftTrial.admit(graft, to: model, trusted: false) }
        #expect(
            refusal.count == 1 && refusal[0].hasSuffix("the graft's base from " + String(repeating: "0", count: 32)))
        _ = try GraftTrial.admit(graft, to: model, trusted: true)
    }

    @Test func trustStillAsksForAcceptedDrafts() throws {
        let model = try Self.model()
        var graft = try Graft(
            new: .init(masks: 2, rank: 4), configuration: model.configuration, embeddingDeviation: 0.05)
        graft.base = GraftBase(digest: "", configuration: model.configuration)
        let refusal = try Self.differences { _ = try GraftTrial.admit(graft, to: model, trusted: true) }
        #expect(refusal.first == "the graft does not say which checkpoint it was made from")
        let last = try #require(refusal.last)
        #expect(last.contains("drafts was accepted") || last.contains("drafts were accepted"))
        // Weights that name no base are not refused; that their drafts fail is for the commands to say.
        graft.base = nil
        let loaded = try GraftTrial.admit(graft, to: model, trusted: false)
        #expect(try GraftTrial.run(model, graft: loaded).doubt == last)
    }

    @Test func anotherShapeIsRefusedTrustedOrNot() throws {
        let model = try Self.model()
        var shape = model.configuration
        shape.hiddenSize = 128
        shape.headSize = 16
        var graft = try Graft(new: .init(masks: 2, rank: 4), configuration: shape, embeddingDeviation: 0.05)
        graft.base = GraftBase(digest: "00", configuration: shape)
        let refusal = try Self.differences { _ = try GraftTrial.admit(graft, to: model, trusted: true) }
        #expect(
            refusal == ["hidden size is 256, the graft's base has 128", "head size is 32, the graft's base has 16"])
        graft.base = nil
        #expect {
            _ = try GraftTrial.admit(graft, to: model, trusted: true)
        } throws: {
            "\($0)".contains("expected shape") && "\($0)".contains("[GR-07]")
        }
    }

    @Test func moreMasksThanTheGraftHasAreRefused() throws {
        let model = try Self.model()
        let graft = try GraftTrial.admit(Self.trained(), to: model, trusted: false)
        #expect {
            _ = try MultiTokenDecoder(
                model.sequence(positions: 64, adaptation: graft), graft: graft,
                options: .init(layout: .quadratic, masks: 9))
        } throws: {
            "\($0)".hasPrefix("9 masks were asked for, the graft has 8: give --masks 1 … 8 [GR-14]")
        }
    }

    @Test func doubtHasNumbers() {
        var counts = DraftCounts()
        counts.triedByDepth = [60]
        counts.rightByDepth = [11]
        #expect(counts.warning == nil)
        #expect(
            counts.doubt == "only 11 of 60 drafts were accepted in a trial run, a graft that fits has half")
        counts.rightByDepth = [12]
        #expect(counts.doubt == nil)
        counts.triedByDepth = [7]
        #expect(counts.doubt == "a trial run tried 7 drafts, too few to trust it")
    }
}
