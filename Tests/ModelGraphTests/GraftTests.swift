import Foundation
import ModelGraph
import TensorFiles
import TestSupport
import Testing

/// A Llama of the oracles' shape.
private func oracleConfiguration(
    headSize: Int = 32, order: ModelConfiguration.RotaryOrder = .halves
) -> ModelConfiguration {
    ModelConfiguration(
        family: "llama", vocabularySize: 1024, hiddenSize: 256, feedForwardSize: 512, headCount: 8,
        keyValueHeadCount: 4, headSize: headSize, contextLength: 512, layers: [.init(), .init()],
        rotaries: [.init(base: 10000, dimension: headSize)], rotaryOrder: order, attentionScale: 0.17,
        tiedEmbeddings: false)
}

private func memoryTensor(_ name: String, _ shape: [Int], _ value: (Int) -> Float) -> Tensor {
    var bytes: [UInt8] = []
    for index in 0..<shape.reduce(1, *) {
        let bits = value(index).bitPattern
        bytes += (0..<4).map { UInt8(truncatingIfNeeded: bits >> (8 * UInt32($0))) }
    }
    return Tensor(name: name, shape: shape, type: .f32, source: MemorySource(bytes))!
}

private func floats(_ tensor: Tensor) throws -> [Float] {
    try tensor.withBytes(rows: 0..<tensor.rowCount) { span in
        (0..<tensor.elementCount).map { Float(bitPattern: span.loadLittleEndian($0 * 4)) }
    }
}

private func oracleGraft(_ family: String) throws -> Graft {
    let checkpoint = try Checkpoint.open(TestFiles.shared("oracles/\(family)/graft.safetensors").path)
    return try Graft(
        weights: Dictionary(uniqueKeysWithValues: checkpoint.tensors.map { ($0.name, $0) }),
        metadata: Dictionary(uniqueKeysWithValues: checkpoint.files[0].metadata.map { ($0.key, $0.value) }),
        file: "graft.safetensors")
}

@Suite struct GraftTests {
    @Test(
        .enabled(if: TestFiles.hasShared, "shared oracles are absent"),
        arguments: [("llama", 32), ("qwen3", 64)])
    func readsTheOraclesGraft(family: String, headSize: Int) throws {
        let graft = try oracleGraft(family)
        #expect(graft.maskCount == 3)
        #expect(graft.rank == 4)
        #expect(graft.scale == 2)
        #expect(graft.adapters.count == 14)
        #expect(graft.sampler.norm == .layerNorm)
        #expect(!graft.hasSharedMask)
        try graft.checkShapes(configuration: oracleConfiguration(headSize: headSize))
        #expect(throws: ModelError.self) {
            try graft.checkShapes(configuration: oracleConfiguration(headSize: headSize / 2))
        }
    }

    @Test(.enabled(if: TestFiles.hasShared, "shared oracles are absent"))
    func halvesOfTheFirstMatrixJoinAgain() throws {
        let file = TestFiles.shared("oracles/llama/graft.safetensors").path
        let checkpoint = try Checkpoint.open(file)
        let (tensors, metadata) = try oracleGraft("llama").weights()
        for tensor in tensors {
            let original = try #require(checkpoint[tensor.name])
            #expect(original.shape == tensor.shape)
            #expect(try floats(original) == floats(tensor), "\(tensor.name)")
        }
        #expect(tensors.count == checkpoint.tensors.count)
        #expect(metadata["masks"] == "3" && metadata["alpha"] == "8.0")
    }

    @Test func newGraftStartsAsTheBaseModel() throws {
        let configuration = oracleConfiguration()
        let mean = (0..<256).map { Float($0) }
        let graft = try Graft(
            new: .init(masks: 4, rank: 8, seed: 7), configuration: configuration, embeddingMean: mean,
            embeddingDeviation: 0.02)
        try graft.checkShapes(configuration: configuration)
        for adapter in graft.adapters.values { #expect(try floats(adapter.b).allSatisfy { $0 == 0 }) }
        let query = try #require(graft.adapters[TensorRole(.query, block: 1)])
        let values = try floats(query.a)
        #expect(values.allSatisfy { abs($0) <= 1 / 16 } && Set(values).count > 1000)
        // Rows can be asked for one by one, in any order.
        let row = try query.a.withBytes(rows: 5..<6) { span in
            (0..<256).map { Float(bitPattern: span.loadLittleEndian($0 * 4)) }
        }
        #expect(row == Array(values[5 * 256..<6 * 256]))
        let masks = try floats(graft.maskEmbeddings)
        #expect((0..<1024).allSatisfy { abs(masks[$0] - Float($0 % 256)) < 0.02 * 6.1 })
    }

    @Test func interleavedModelsGetPermutedRows() throws {
        let configuration = oracleConfiguration(order: .interleaved)
        var graft = try Graft(
            new: .init(masks: 1, rank: 1), configuration: configuration, embeddingDeviation: 1)
        let role = TensorRole(.key, block: 0)
        graft.adapters[role]?.b = memoryTensor("b", [128, 1]) { Float($0) }
        let bound = try graft.bound(to: configuration)
        let rows = try floats(#require(bound.adapters[role]).b)
        // Head size 32: the model's rows 0, 1, 2, 3 are the Hub's 0, 16, 1, 17; the next head starts at 32.
        #expect(Array(rows[..<4]) == [0, 16, 1, 17])
        #expect(rows[32] == 32 && rows[33] == 48)
        let back = bound.inHubOrder(from: configuration)
        #expect(try floats(#require(back.adapters[role]).b) == (0..<128).map { Float($0) })
    }

    @Test func refusesAnotherModelNamingWhatDiffers() throws {
        let configuration = oracleConfiguration()
        var graft = try Graft(new: .init(masks: 2, rank: 2), configuration: configuration, embeddingDeviation: 1)
        graft.base = GraftBase(digest: "00ff", configuration: configuration)
        try graft.checkBase(digest: "00ff", configuration: configuration)
        #expect(throws: ModelError.self) { try graft.checkBase(digest: "00fe", configuration: configuration) }
        try graft.checkBase(digest: "00fe", configuration: configuration, trusted: true)
        var other = configuration
        other.vocabularySize = 2048
        other.layers.append(.init())
        do {
            try graft.checkBase(digest: "00ff", configuration: other, trusted: true)
            Issue.record("another model was accepted")
        } catch .graft(.wrongBase(let differences)) {
            #expect(differences.count == 2)
            #expect(differences[0] == "vocabulary is 2048, the graft's base has 1024")
        }
    }

    @Test func missingAndForeignTensorsAreNamed() throws {
        let (tensors, metadata) = try Graft(
            new: .init(masks: 2, rank: 2), configuration: oracleConfiguration(), embeddingDeviation: 1
        ).weights()
        var named = Dictionary(uniqueKeysWithValues: tensors.map { ($0.name, $0) })
        #expect(try Graft(weights: named, metadata: metadata, file: "f").adapters.count == 14)
        named["extra"] = memoryTensor("extra", [1]) { _ in 0 }
        #expect(throws: ModelError.graft(.unexpectedTensor(file: "f", tensor: "extra"))) {
            try Graft(weights: named, metadata: metadata, file: "f")
        }
        named["extra"] = nil
        named["layers.1.mlp.up_proj.lora_b"] = nil
        #expect(throws: ModelError.graft(.missingTensor(file: "f", tensor: "layers.1.mlp.up_proj.lora_b"))) {
            try Graft(weights: named, metadata: metadata, file: "f")
        }
        #expect(throws: ModelError.graft(.missingKey(file: "f", key: "sampler_norm"))) {
            try Graft(weights: named, metadata: ["masks": "2"], file: "f")
        }
    }
}

@Suite struct GLoRATests {
    /// Names and shapes as the trainer stores them, projections fused.
    private func checkpoint(rank: Int) -> [String: Tensor] {
        var tensors: [String: Tensor] = [:]
        func add(_ name: String, _ shape: [Int]) { tensors[name] = memoryTensor(name, shape) { Float($0) } }
        for block in 0..<2 {
            let layer = "model.model.layers.\(block)."
            add(layer + "self_attn.qkv_proj.lora_A.weight", [3 * rank, 256])
            add(layer + "self_attn.qkv_proj.lora_B.weight", [512, 3 * rank])
            add(layer + "self_attn.o_proj.lora_A.weight", [rank, 256])
            add(layer + "self_attn.o_proj.lora_B.weight", [256, rank])
            add(layer + "mlp.gate_up_proj.lora_A.weight", [2 * rank, 256])
            add(layer + "mlp.gate_up_proj.lora_B.weight", [1024, 2 * rank])
            add(layer + "mlp.down_proj.lora_A.weight", [rank, 512])
            add(layer + "mlp.down_proj.lora_B.weight", [256, rank])
        }
        add("sampler_head.layers.0.linear.weight", [256, 512])
        add("sampler_head.layers.0.norm.weight", [256])
        add("sampler_head.layers.1.linear.weight", [256, 256])
        add("sampler_head.layers.1.norm.weight", [256])
        return tensors
    }

    @Test func fusedFactorsServeEachPart() throws {
        let weights = checkpoint(rank: 2)
        #expect(Graft.isGLoRA(weights.keys))
        let graft = try Graft(
            gLoRA: weights, settings: .init(masks: 4, rank: 2, alpha: 4, normEpsilon: 1e-6),
            maskEmbedding: memoryTensor("mean", [1, 256]) { _ in 0.5 }, configuration: oracleConfiguration(),
            file: "model.safetensors")
        #expect(graft.adapters.count == 14)
        #expect(graft.scale == 2)
        #expect(graft.hasSharedMask && graft.maskRow(offset: 4) == 0)
        #expect(graft.sampler.residual && graft.sampler.norm == .rmsNorm && graft.sampler.firstTail.bias == nil)
        let value = try #require(graft.adapters[TensorRole(.value, block: 0)])
        #expect(value.rank == 6)
        // Value rows follow 256 query rows and 128 key rows, each row 6 wide.
        #expect(try floats(value.b)[0] == Float((256 + 128) * 6))
        let token = try floats(graft.sampler.token)
        let hidden = try floats(graft.sampler.hidden)
        #expect(token[256] == 512 && hidden[0] == 256 && hidden[256] == 768)
    }

    @Test func aRankThatDoesNotFitIsRefused() {
        #expect(throws: ModelError.self) {
            try Graft(
                gLoRA: checkpoint(rank: 2), settings: .init(masks: 4, rank: 4, alpha: 4, normEpsilon: 1e-6),
                maskEmbedding: memoryTensor("mean", [1, 256]) { _ in 0.5 }, configuration: oracleConfiguration(),
                file: "model.safetensors")
        }
    }
}

@Suite struct InlineGraftTests {
    private func file(model: Int, sidecar: Int, change: (inout [UInt8]) -> Void = { _ in }) -> MappedFile {
        let inline = InlineGraft(
            after: model, sidecarByteCount: sidecar, digest: "000102030405060708090a0b0c0d0eff")
        var bytes = [UInt8](repeating: 1, count: model) + [UInt8](repeating: 0, count: inline.padding)
        bytes += [UInt8](repeating: 2, count: sidecar) + inline.trailer
        change(&bytes)
        return MappedFile(bytes: bytes, name: "model.gguf")
    }

    @Test func trailerIsFoundAgain() throws {
        let inline = try #require(try InlineGraft.find(in: file(model: 5000, sidecar: 77)))
        #expect(inline.modelByteCount == 5000)
        #expect(inline.sidecar == 8192..<8269)
        #expect(inline.digest == "000102030405060708090a0b0c0d0eff")
        #expect(try InlineGraft.find(in: MappedFile(bytes: [UInt8](repeating: 3, count: 300), name: "x")) == nil)
        #expect(try InlineGraft.find(in: MappedFile(bytes: [], name: "x")) == nil)
    }

    @Test func damagedTrailersAreRefused() {
        for offset in 0..<64 {
            #expect(throws: ModelError.self, "byte \(offset)") {
                try InlineGraft.find(
                    in: file(model: 5000, sidecar: 77) { bytes in
                        bytes[bytes.count - 80 + offset] ^= offset < 16 || offset >= 32 ? 0xFF : 0x7F
                    })
            }
        }
    }

    @Test func aPartOfAFileIsAFile() throws {
        let whole = file(model: 5000, sidecar: 77)
        let part = MappedFile(part: 8192..<8269, of: whole)
        #expect(part.byteCount == 77)
        #expect(part.withBytes { $0.copied() } == [UInt8](repeating: 2, count: 77))
        part.release(0..<77)
    }
}
