import CKernels
import Foundation
import Kernels
import Quantization
import TensorFiles
import TestSupport
import Testing

@Suite struct BlockDecodingTests {
    @Test func geometryOfKernelsAndOfTypesAgree() {
        for type in ElementType.allCases {
            guard let number = BlockCodec.number(of: type) else {
                #expect(type == .c64)
                continue
            }
            #expect(ft_block_elements(number) == type.block.elements, "\(type.rawValue)")
            #expect(ft_block_bytes(number) == type.block.bytes, "\(type.rawValue)")
        }
    }

    /// Arbitrary bytes are blocks too: every instruction set must read them alike, NaN scales included.
    @Test(arguments: ElementType.allCases.filter(BlockCodec.canDecode))
    func instructionSetsAgreeToTheBit(type: ElementType) throws {
        var generator = SplitMix(state: 7)
        let blocks = 67
        let count = blocks * type.block.elements
        let bytes = (0..<blocks * type.block.bytes).map { _ in UInt8(truncatingIfNeeded: generator.next()) }
        let plain = try #require(decoded(bytes, type, FT_ISA_SCALAR, count))
        let fast = try #require(decoded(bytes, type, FT_ISA_AVX2, count))
        for (index, (a, b)) in zip(plain, fast).enumerated() where !(a.isNaN && b.isNaN) {
            #expect(a.bitPattern == b.bitPattern, "\(type.rawValue) element \(index)")
        }
        let span = unsafe bytes.span.bytes
        let wrapped = try BlockCodec.decode(type, span, count: count)
        #expect(zip(wrapped, fast).allSatisfy { $0.bitPattern == $1.bitPattern || ($0.isNaN && $1.isNaN) })
    }

    @Test func wrongByteCountsAreRefused() {
        let bytes = [UInt8](repeating: 0, count: 18)
        #expect(throws: KernelError.wrongByteCount(.q4_0, elements: 33, bytes: 18)) {
            try BlockCodec.decode(.q4_0, unsafe bytes.span.bytes, count: 33)
        }
        #expect(throws: KernelError.wrongByteCount(.q4_0, elements: 64, bytes: 18)) {
            try BlockCodec.decode(.q4_0, unsafe bytes.span.bytes, count: 64)
        }
        #expect(throws: KernelError.undecodable(.c64)) {
            let one = [UInt8](repeating: 0, count: 8)
            _ = try BlockCodec.decode(.c64, unsafe one.span.bytes, count: 1)
        }
    }

    /// One tensor of files that llama-quantize wrote, as gguf-py reads it.
    @Test(.enabled(if: TestFiles.hasShared, "shared oracles are absent"))
    func valuesAreThoseOfGgufPy() throws {
        let oracle = try SafetensorsFile(path: TestFiles.shared("oracles/ggml/decoded.safetensors").path)
        var types: Set<ElementType> = []
        for expected in oracle.tensors {
            let name = expected.name.split(separator: "/").first.map(String.init) ?? expected.name
            let file = try GGUFFile(path: TestFiles.shared("oracles/ggml/\(name).gguf").path)
            let tensor = try #require(file.tensors.first { $0.name == "blk.0.attn_q.weight" })
            let (ours, theirs) = try (tensor.floats(), expected.floats())
            #expect(ours.map(\.bitPattern) == theirs.map(\.bitPattern), "\(expected.name)")
            types.insert(tensor.type)
        }
        #expect(types.count >= 15)
    }

    private func decoded(_ bytes: [UInt8], _ type: ElementType, _ isa: ft_isa, _ count: Int) -> [Float]? {
        guard let number = BlockCodec.number(of: type) else { return nil }
        var result = [Float](repeating: .nan, count: count)
        let done = unsafe bytes.withUnsafeBytes { source in
            unsafe result.withUnsafeMutableBufferPointer { target in
                unsafe ft_decode_row_with(isa, number, source.baseAddress, target.baseAddress, count)
            }
        }
        return done ? result : nil
    }
}

/// A small generator with a fixed sequence, so that tests never vary.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
