import CKernels
import Foundation
import Kernels
import Quantization
import TensorFiles
import TestSupport
import Testing

/// Groups against what the layouts' own libraries made of the same rows: fixtures/golden/make_groups.py.
@Suite struct GroupCodecTests {
    static let cases: [(layout: String, group: Int, type: ElementType)] = {
        var cases: [(String, Int, ElementType)] = []
        for type in [ElementType.f32, .bf16] {
            for group in [32, 64, 128] {
                for name in ["mlx_q4", "mlx_q8", "w4a16"] { cases.append((name, group, type)) }
            }
            cases.append(("w8a8", 0, type))
        }
        return cases + [32, 64, 128].map { ("gptq_q4", $0, .f32) }
    }()

    static func golden() throws -> Checkpoint {
        try Checkpoint.open(TestFiles.fixtures.appendingPathComponent("golden/groups.safetensors").path)
    }

    static func bytes(_ tensor: Tensor) throws -> [UInt8] {
        try tensor.withBytes(rows: 0..<tensor.rowCount) { bytes in
            (0..<bytes.byteCount).map { unsafe bytes.unsafeLoad(fromByteOffset: $0, as: UInt8.self) }
        }
    }

    static func format(_ layout: String, _ group: Int, _ type: ElementType) throws -> GroupFormat {
        try #require(try HubLayout(name: layout, groupSize: group == 0 ? nil : group)).format(for: type)
    }

    private static func error(
        _ format: GroupFormat, _ encoded: EncodedGroups, _ values: [Float], _ length: Int, _ importance: [Float] = []
    ) -> Double {
        BlockCodec.error(
            of: GroupCodec.decode(format, encoded, rowLength: length), against: values, rowLength: length,
            importance: importance
        ).error
    }

    /// [rows, columns] with rows and columns exchanged, elements of `size` bytes.
    private static func transposed(_ bytes: [UInt8], rows: Int, size: Int) -> [UInt8] {
        let columns = bytes.count / size / rows
        var result: [UInt8] = []
        for column in 0..<columns {
            for row in 0..<rows {
                let start = (row * columns + column) * size
                result += bytes[start..<start + size]
            }
        }
        return result
    }

    @Test(arguments: cases) func nearestIsTheLibrarys(layout: String, group: Int, type: ElementType) throws {
        let file = try Self.golden()
        let source = try #require(file["source.\(type.rawValue.lowercased())"])
        let format = try Self.format(layout, group, type)
        let encoded = try GroupCodec.encode(format, .nearest, source.floats(), rowLength: source.rowLength)
        let scales = try BlockCodec.encode(format.scaleType, .nearest, encoded.scales, rowLength: 1)
        let key = "\(layout).\(group).\(type.rawValue.lowercased())"
        func expected(_ part: String) throws -> [UInt8] {
            try Self.bytes(#require(file[key + part], "\(key + part)"))
        }
        switch layout {
        case "mlx_q4", "mlx_q8":
            #expect(try encoded.codes == expected(".weight"))
            #expect(try scales == expected(".scales"))
            let offsets = try BlockCodec.encode(format.scaleType, .nearest, encoded.offsets, rowLength: 1)
            #expect(try offsets == expected(".biases"))
        case "w4a16":
            #expect(try encoded.codes == expected(".weight_packed"))
            #expect(try scales == expected(".weight_scale"))
        case "w8a8":
            #expect(try encoded.codes.map { $0 ^ 0x80 } == expected(".weight"))
            #expect(try scales == expected(".weight_scale"))
        default:
            #expect(try Self.transposed(encoded.codes, rows: 8, size: 4) == expected(".qweight"))
            #expect(try Self.transposed(scales, rows: 8, size: 2) == expected(".scales"))
            let zeros = try file[key + ".qzeros"].map { try Self.bytes($0) } ?? []
            let found = (0..<encoded.offsets.count).map { index -> Float in
                let (row, column) = (index / (256 / group), index % (256 / group))
                return Float(zeros[column * 4 + row / 2] >> (row % 2 * 4) & 15)
            }
            #expect(found == encoded.offsets)
        }
    }

    /// Row by row, so that no gain hides a loss; weighted where columns have weights.
    @Test(arguments: cases) func searchLosesNoMoreThanNearest(layout: String, group: Int, type: ElementType) throws {
        let source = try #require(Self.golden()["source.\(type.rawValue.lowercased())"])
        let format = try Self.format(layout, group, type)
        let length = source.rowLength
        let weights = (0..<length).map { Float($0 % 7 * $0 % 5 + 1) }
        var (plain, weighted, energy) = ([0.0, 0.0], [0.0, 0.0], 0.0)
        for row in 0..<source.rowCount {
            let values = try source.floats(rows: row..<row + 1)
            let nearest = try GroupCodec.encode(format, .nearest, values, rowLength: length)
            let searched = try GroupCodec.encode(format, .search, values, rowLength: length)
            let (one, other) = (
                Self.error(format, nearest, values, length), Self.error(format, searched, values, length)
            )
            #expect(other <= one * 1.000001 + 1e-20, "row \(row)")
            // The made-up rows count no further: clipping costs a constant everything.
            guard row > 1 else { continue }
            plain[0] += one
            plain[1] += other
            let important = try GroupCodec.encode(format, .search, values, rowLength: length, importance: weights)
            weighted[0] += Self.error(format, searched, values, length, weights)
            weighted[1] += Self.error(format, important, values, length, weights)
            energy += values.reduce(0.0) { $0 + Double($1) * Double($1) }
        }
        #expect(plain[1] < plain[0])
        #expect(plain[1] > 0.2 * plain[0], "a gain too good to be true")
        #expect(plain[1] < (format.bits == 4 ? 0.03 : 0.0005) * energy)
        if format.bits == 4 { #expect(weighted[1] < weighted[0]) }
    }

    @Test(arguments: cases) func rowsAndInstructionSetsDoNotMatter(
        layout: String, group: Int, type: ElementType
    ) throws {
        let source = try #require(Self.golden()["source.\(type.rawValue.lowercased())"])
        let format = try Self.format(layout, group, type)
        let (length, rows) = (source.rowLength, source.rowCount)
        let values = try source.floats()
        let weights = (0..<length).map { Float($0 % 3 + 1) }
        for method in BlockCodec.Method.allCases {
            let whole = try GroupCodec.encode(format, method, values, rowLength: length, importance: weights)
            var pieces = EncodedGroups()
            for run in [0..<3, 3..<4, 4..<rows] {
                pieces.append(
                    try GroupCodec.encode(
                        format, method, Array(values[run.lowerBound * length..<run.upperBound * length]),
                        rowLength: length, importance: weights))
            }
            #expect(whole == pieces)
            let sets = [FT_ISA_SCALAR, FT_ISA_AVX2].map { isa in
                var number = format.number(columns: length)
                var codes = [UInt8](repeating: 0, count: whole.codes.count)
                var scales = [Float](repeating: 0, count: whole.scales.count)
                var offsets = scales
                let done = unsafe ft_encode_groups_with(
                    isa, &number, method.number, values, weights, rows, length, &codes, &scales, &offsets)
                #expect(done)
                return (codes, scales + offsets)
            }
            #expect(sets[0].0 == sets[1].0 && sets[0].1 == sets[1].1)
        }
    }

    /// GPTQ's aim is the output's error, (w − w')' H (w − w'); there it must win.
    @Test(arguments: cases.filter { $0.type == .f32 }) func sequentialRowsLoseLessOfTheOutput(
        layout: String, group: Int, type: ElementType
    ) throws {
        let source = try #require(Self.golden()["source.f32"])
        let format = try Self.format(layout, group, type)
        let n = source.rowLength
        let values = try source.floats()
        // Inputs of neighbouring columns resemble each other.
        var state: UInt64 = 1
        var hessian = [Float](repeating: 0, count: n * n)
        var previous: Float = 0
        let inputs = (0..<400 * n).map { _ in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            previous = 0.8 * previous + Float(state >> 40) / 0x1p24 - 0.5
            return previous
        }
        try Moments.addMoments(of: inputs, columns: n, to: &hessian, pool: WorkerPool(threads: 2))
        for i in 0..<n { for j in 0..<i { hessian[i * n + j] = hessian[j * n + i] } }
        let factor = try HessianFactor(hessian, columns: n, tensor: "test")
        let sequential = try GroupCodec.encode(format, .search, values, rowLength: n, feedback: factor.feedback)
        let searched = try GroupCodec.encode(format, .search, values, rowLength: n)
        func loss(_ encoded: EncodedGroups) -> Double {
            let decoded = GroupCodec.decode(format, encoded, rowLength: n)
            var total = 0.0
            for row in 0..<source.rowCount {
                let d = (0..<n).map { Double(values[row * n + $0] - decoded[row * n + $0]) }
                for i in 0..<n {
                    var sum = 0.0
                    for j in 0..<n { sum += Double(hessian[i * n + j]) * d[j] }
                    total += d[i] * sum
                }
            }
            return total
        }
        #expect(loss(sequential) < 0.8 * loss(searched))
        // A row on its own comes out the same.
        let third = try GroupCodec.encode(
            format, .search, Array(values[2 * n..<3 * n]), rowLength: n, feedback: factor.feedback)
        let across = sequential.scales.count / source.rowCount
        #expect(third.scales == Array(sequential.scales[2 * across..<3 * across]))
        #expect(third.codes == Array(sequential.codes[2 * third.codes.count..<3 * third.codes.count]))
    }

    @Test func groupsThatCannotBeAreRefused() throws {
        #expect(throws: QuantizationError.groupSize(48, layout: "mlx_q4", allowed: [32, 64, 128])) {
            try HubLayout(.mlxQ4, groupSize: 48)
        }
        #expect(throws: QuantizationError.groupSize(64, layout: "w8a8", allowed: [])) {
            try HubLayout(.w8a8, groupSize: 64)
        }
        #expect(try HubLayout(name: "q4_k_m") == nil)
        let format = try HubLayout(.mlxQ4).format(for: .bf16)
        #expect(throws: KernelError.partialGroups(rowLength: 96, groupSize: 64)) {
            try GroupCodec.encode(format, .nearest, [Float](repeating: 0, count: 96), rowLength: 96)
        }
    }
}
