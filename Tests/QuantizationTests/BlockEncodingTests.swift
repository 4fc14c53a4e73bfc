import CKernels
import Foundation
import Kernels
import Quantization
import TensorFiles
import TestSupport
import Testing

/// Blocks against those that llama-quantize made from the same tensors.
@Suite(.enabled(if: TestFiles.hasShared, "shared oracles are absent"))
struct BlockEncodingTests {
    static let searched = [
        "q4_0", "q4_1", "q5_0", "q5_1", "q8_0", "q2_k", "q3_k", "q4_k", "q5_k", "q6_k", "iq4_nl", "iq4_xs",
    ]

    private static func open(_ name: String) throws -> GGUFFile {
        try GGUFFile(path: TestFiles.shared("oracles/ggml/\(name).gguf").path)
    }

    private static func importance(of tensor: String) throws -> [Float] {
        let file = try open("importance")
        let sums = try #require(file.tensors.first { $0.name == tensor + ".in_sum2" }).floats()
        let count = try #require(file.tensors.first { $0.name == tensor + ".counts" }).floats()
        return sums.map { $0 / count[0] }
    }

    @Test(arguments: ["q4_0", "q4_1", "q5_0", "q5_1", "q8_0"])
    func nearestBlocksAreGgmlsBytes(name: String) throws {
        let source = try Self.open("source-f32")
        for theirs in try Self.open(name).tensors {
            let tensor = try #require(source.tensors.first { $0.name == theirs.name })
            let ours = try BlockCodec.encode(theirs.type, .nearest, tensor.floats(), rowLength: tensor.rowLength)
            try theirs.withBytes(rows: 0..<theirs.rowCount) { bytes in
                let expected = (0..<bytes.byteCount).map {
                    unsafe bytes.unsafeLoad(fromByteOffset: $0, as: UInt8.self)
                }
                #expect(ours == expected, "\(name) \(theirs.name)")
            }
        }
    }

    /// At most ggml's error everywhere; where ggml does not search, a tenth less. The lower bound notices a change
    /// of either side.
    @Test(arguments: searched)
    func searchLosesLessThanGgml(name: String) throws {
        let source = try Self.open("source-f32")
        for suffix in ["", "-importance"] {
            let path = TestFiles.shared("oracles/ggml/\(name)\(suffix).gguf").path
            guard FileManager.default.fileExists(atPath: path) else { continue }
            for theirs in try GGUFFile(path: path).tensors {
                let tensor = try #require(source.tensors.first { $0.name == theirs.name })
                let values = try tensor.floats()
                let weights = suffix.isEmpty ? [] : try Self.importance(of: tensor.name)
                let length = tensor.rowLength
                let bytes = try BlockCodec.encode(
                    theirs.type, .search, values, rowLength: length, importance: weights)
                let ours = try BlockCodec.decode(theirs.type, unsafe bytes.span.bytes, count: values.count)
                func error(_ decoded: [Float]) -> Double {
                    BlockCodec.error(of: decoded, against: values, rowLength: length, importance: weights).error
                }
                let ratio = try error(ours) / error(theirs.floats())
                let plain = suffix.isEmpty && ["q4_0", "q4_1", "q5_0", "q5_1", "q8_0"].contains(name)
                #expect(ratio <= (plain ? (name == "q5_0" ? 0.93 : 0.9) : 1), "\(name)\(suffix) \(tensor.name)")
                #expect(ratio > 0.7, "\(name)\(suffix) \(tensor.name)")
            }
        }
    }

    @Test func mxfp4SearchLosesLessThanItsNearestRule() throws {
        for tensor in try Self.open("source-f32").tensors {
            let values = try tensor.floats()
            let errors = try BlockCodec.Method.allCases.map { method in
                let bytes = try BlockCodec.encode(.mxfp4, method, values, rowLength: tensor.rowLength)
                let decoded = try BlockCodec.decode(.mxfp4, unsafe bytes.span.bytes, count: values.count)
                return BlockCodec.error(of: decoded, against: values, rowLength: tensor.rowLength).error
            }
            #expect(errors[1] < errors[0], "\(tensor.name)")
        }
    }

    /// Plain and fast kernels write the same bytes, and a block goes through its fields unchanged.
    @Test(arguments: ElementType.allCases.filter { BlockCodec.canEncode($0, .search) })
    func instructionSetsWriteTheSameBytes(type: ElementType) throws {
        let tensor = try #require(Self.open("source-f32").tensors.first { $0.name.contains("ffn_down") })
        let length = tensor.rowLength
        let values = try tensor.floats(rows: 0..<12)
        let weights = try Self.importance(of: tensor.name)
        let number = try #require(BlockCodec.number(of: type))
        for method in BlockCodec.Method.allCases where BlockCodec.canEncode(type, method) {
            let encoded = [FT_ISA_SCALAR, FT_ISA_AVX2].map { isa in
                var bytes = [UInt8](repeating: 0xAA, count: values.count / type.block.elements * type.block.bytes)
                let done = unsafe bytes.withUnsafeMutableBufferPointer { bytes in
                    unsafe values.withUnsafeBufferPointer { values in
                        unsafe weights.withUnsafeBufferPointer { weights in
                            unsafe ft_encode_rows_with(
                                isa, number, method.number, values.baseAddress, weights.baseAddress,
                                bytes.baseAddress,
                                12, length)
                        }
                    }
                }
                #expect(done)
                return bytes
            }
            #expect(encoded[0] == encoded[1], "\(type.rawValue) \(method.rawValue)")
            guard type.isQuantized else { continue }
            for start in stride(from: 0, to: encoded[0].count, by: type.block.bytes) {
                let block = Array(encoded[0][start..<start + type.block.bytes])
                var fields = ft_block_fields()
                var packed = [UInt8](repeating: 0x55, count: block.count)
                let matched = unsafe block.withUnsafeBufferPointer { block in
                    unsafe packed.withUnsafeMutableBufferPointer { packed in
                        unsafe ft_unpack_block(number, block.baseAddress, &fields)
                            && ft_pack_block(number, &fields, packed.baseAddress)
                    }
                }
                #expect(matched && packed == block, "\(type.rawValue) block at \(start)")
            }
        }
    }

    /// The values that a block's grid names are those that decoding gives.
    @Test(arguments: ElementType.allCases.filter { $0.isQuantized && BlockCodec.canEncode($0, .search) })
    func gridsNameTheDecodedValues(type: ElementType) throws {
        let tensor = try #require(Self.open("source-f32").tensors.first { $0.name.contains("ffn_gate") })
        let values = try tensor.floats(rows: 0..<1)
        let bytes = try BlockCodec.encode(type, .search, values, rowLength: tensor.rowLength)
        let decoded = try BlockCodec.decode(type, unsafe bytes.span.bytes, count: values.count)
        let number = try #require(BlockCodec.number(of: type))
        var fields = ft_block_fields()
        var grid = ft_block_grid()
        let known = unsafe bytes.withUnsafeBufferPointer { bytes in
            unsafe ft_unpack_block(number, bytes.baseAddress, &fields)
                && ft_grid_of_block(number, bytes.baseAddress, &grid)
        }
        #expect(known)
        let codes = unsafe withUnsafeBytes(of: fields.codes) { unsafe Array($0) }
        let scale = unsafe withUnsafeBytes(of: grid.scale) { unsafe Array($0.bindMemory(to: Float.self)) }
        let offset = unsafe withUnsafeBytes(of: grid.offset) { unsafe Array($0.bindMemory(to: Float.self)) }
        var levels = [Float](repeating: 0, count: 256)
        let count = unsafe levels.withUnsafeMutableBufferPointer { unsafe ft_block_levels(number, $0.baseAddress) }
        #expect(count > (codes.prefix(type.block.elements).max().map(Int.init) ?? 0))
        for j in 0..<type.block.elements {
            let share = j / ft_block_share(number)
            #expect(
                scale[share] * levels[Int(codes[j])] + offset[share] == decoded[j],
                "\(type.rawValue) element \(j)")
        }
    }

    @Test func nonfiniteValuesAreFound() {
        var values = [Float](repeating: 1, count: 200)
        #expect(BlockCodec.firstNonfinite(values) == nil)
        values[131] = .nan
        values[150] = .infinity
        #expect(BlockCodec.firstNonfinite(values) == 131)
        #expect(BlockCodec.firstNonfinite([]) == nil)
    }
}
