import Kernels
import TensorFiles
import Testing

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

    /// Uniform in -1 ..< 1.
    mutating func unit() -> Float { Float(Int32(truncatingIfNeeded: next())) * 0x1p-31 }
}

/// Tensors of arbitrary codes and sub-block scales, whose block scales alone are kept sensible.
enum RandomTensors {
    /// Every type that products exist for in panels.
    static let packedTypes: [ElementType] = [
        .f32, .f16, .bf16, .q8_0, .q4_0, .q4_1, .q5_0, .q5_1, .iq4_NL, .mxfp4, .q2_K, .q3_K, .q4_K, .q5_K, .q6_K,
        .iq4_XS,
    ]

    /// Where a block's half-precision scales lie.
    private static func scaleOffsets(_ type: ElementType) -> [Int] {
        switch type {
        case .q4_0, .q5_0, .q8_0, .iq4_NL, .iq4_XS, .iq2_XXS, .iq3_S: [0]
        case .q4_1, .q5_1, .q4_K, .q5_K: [0, 2]
        case .q2_K: [80, 82]
        case .q3_K: [108]
        case .q6_K: [208]
        default: []
        }
    }

    static func tensor(_ type: ElementType, rows: Int, columns: Int, seed: UInt64) throws -> Tensor {
        var generator = SplitMix(state: seed)
        let count = try #require(type.byteCount(elements: rows * columns))
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count)
        func append<T: FixedWidthInteger>(_ bits: T) {
            for shift in stride(from: 0, to: T.bitWidth, by: 8) {
                bytes.append(UInt8(truncatingIfNeeded: bits >> shift))
            }
        }
        switch type {
        case .f32: for _ in 0..<rows * columns { append(generator.unit().bitPattern) }
        case .f16: for _ in 0..<rows * columns { append(Float16(generator.unit()).bitPattern) }
        case .bf16: for _ in 0..<rows * columns { append(UInt16(generator.unit().bitPattern >> 16)) }
        default:
            for block in 0..<count / type.block.bytes {
                for _ in 0..<type.block.bytes { append(UInt8(truncatingIfNeeded: generator.next())) }
                let start = block * type.block.bytes
                for offset in scaleOffsets(type) {
                    let bits = Float16(generator.unit() * 0.01).bitPattern
                    bytes[start + offset] = UInt8(truncatingIfNeeded: bits)
                    bytes[start + offset + 1] = UInt8(bits >> 8)
                }
                if type == .mxfp4 { bytes[start] = 118 + UInt8(generator.next() % 8) }
            }
        }
        return try #require(
            Tensor(name: "random.\(type.rawValue)", shape: [rows, columns], type: type, source: MemorySource(bytes)))
    }

    static func activations(rows: Int, columns: Int, seed: UInt64) -> [Float] {
        var generator = SplitMix(state: seed)
        return (0..<rows * columns).map { _ in generator.unit() * (generator.next() % 16 == 0 ? 8 : 1) }
    }
}
