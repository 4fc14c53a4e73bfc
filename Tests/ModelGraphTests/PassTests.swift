import Foundation
import ModelGraph
import TensorFiles
import TestSupport
import Testing

@Suite struct PassTests {
    static func bytes(_ tensor: Tensor?) throws -> [UInt8] {
        var bytes: [UInt8] = []
        try tensor?.forEachRun(byteBudget: 700) { _, span in bytes += span.copied() }
        return bytes
    }

    /// The values of an F32 or F16 tensor.
    static func values(_ tensor: Tensor?) throws -> [Float] {
        guard let tensor else { return [] }
        var values: [Float] = []
        try tensor.forEachRun(byteBudget: 700) { _, span in
            for offset in stride(from: 0, to: span.byteCount, by: tensor.type.block.bytes) {
                values.append(
                    tensor.type == .f32
                        ? Float(bitPattern: span.loadLittleEndian(offset, as: UInt32.self))
                        : Float(Float16(bitPattern: span.loadLittleEndian(offset, as: UInt16.self))))
            }
        }
        return values
    }

    static var model: String { TestFiles.fixtures.appendingPathComponent("stories260K").path }
    static var quantized: String { TestFiles.fixtures.appendingPathComponent("gguf/stories260K-q4_0.gguf").path }

    /// To GGUF's order and back gives every byte again, and on the way what the reference converter wrote.
    @Test func rotaryOrderIsTheConvertersAndReversible() throws {
        let graph = try ModelGraph.open(Self.model)
        let reference = try ModelGraph.open(
            TestFiles.fixtures.appendingPathComponent("gguf/stories260K-f16.gguf").path)
        let turned = try GraphPass.rotaryOrder(.interleaved)(graph)
        let back = try GraphPass.rotaryOrder(.halves)(turned)
        #expect(turned.configuration.rotaryOrder == reference.configuration.rotaryOrder)
        for block in graph.configuration.layers.indices {
            for part in [TensorRole.Part.query, .key] {
                #expect(try Self.bytes(back[part, block]) == Self.bytes(graph[part, block]))
                let halves = try Self.values(turned[part, block]).map { Float(Float16($0)) }
                let stored = try Self.values(reference[part, block])
                #expect(halves == stored)
            }
        }
    }

    @Test func quantizedRowsMoveAsTheyAre() throws {
        let graph = try ModelGraph.open(Self.quantized)
        let canonical = try graph.canonical()
        #expect(canonical[.query, 0]?.type == .q4_0)
        let back = try GraphPass.rotaryOrder(.interleaved)(canonical)
        #expect(try Self.bytes(back[.query, 0]) == Self.bytes(graph[.query, 0]))
        #expect(try Self.bytes(canonical[.query, 0]) != Self.bytes(graph[.query, 0]))
    }

    @Test func fusingAndSplittingIsTheIdentity() throws {
        for path in [Self.model, Self.quantized] {
            let graph = try ModelGraph.open(path).canonical()
            let fused = try GraphPass.fuse([.queryKeyValue, .gateUp])(graph)
            #expect(fused[.query, 0] == nil && fused[.gate, 0] == nil)
            #expect(fused[.queryKeyValue, 0]?.shape == [128, 64])
            let split = try GraphPass.splitFused(fused)
            #expect(Set(split.tensors.keys) == Set(graph.tensors.keys))
            for role in graph.roles {
                #expect(try Self.bytes(split.tensors[role]) == Self.bytes(graph.tensors[role]))
            }
        }
    }

    @Test func tyingAndUntying() throws {
        let graph = try ModelGraph.open(Self.model)
        let untied = try GraphPass.untie(graph)
        #expect(!untied.configuration.tiedEmbeddings)
        #expect(try Self.bytes(untied[.output]) == Self.bytes(graph[.tokenEmbedding]))
        let tied = try GraphPass.tie(untied)
        #expect(tied.configuration.tiedEmbeddings && tied[.output] == nil)
    }

    @Test func normOffsetsAreAdded() throws {
        var graph = try ModelGraph.open(Self.model)
        graph.normOffset = 1
        let folded = try GraphPass.normOffset(0)(graph)
        #expect(try Self.values(folded[.outputNorm]) == Self.values(graph[.outputNorm]).map { $0 + 1 })
        #expect(folded.normOffset == 0)
    }

    @Test func theSourceDigestIsThatOfTheTensors() throws {
        let graph = try ModelGraph.open(Self.model)
        let digest = try graph.sourceDigest(threads: 1)
        #expect(digest.count == 32)
        #expect(try graph.sourceDigest(threads: 3) == digest)
        let other = try ModelGraph.open(TestFiles.fixtures.appendingPathComponent("sharded").path)
        #expect(try other.sourceDigest() != digest)
    }
}
