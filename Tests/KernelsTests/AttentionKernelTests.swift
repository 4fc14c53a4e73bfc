import CKernels
import Testing

/// Attention over a cache: against the plain kernel, and against itself with slots and neighbours moved about.
@Suite struct AttentionKernelTests {
    static let sets = RowKernelTests.sets
    static let types: [ft_cache_type] = [FT_CACHE_F32, FT_CACHE_F16, FT_CACHE_Q8]

    /// One row over `positions` keys; position t lies in slot `slots(t)`.
    struct Case {
        var type: ft_cache_type
        var size: Int
        var group: Int
        var positions: Int
        var first = 0
        var settled: Int
        var cap: Float = 0

        func run(_ isa: ft_isa, place: (Int) -> Int32) -> [Float] {
            let padded = (size + 7) / 8 * 8
            let stride = ft_cache_record_bytes(type, size)
            let table = unsafe ft_attention_kernels_for(isa).pointee
            let slots = settled + 4 * (positions - settled)
            let path = (settled..<positions).map(place)
            func records(seed: UInt64) -> [UInt8] {
                var bytes = [UInt8](repeating: 0x7F, count: slots * stride)
                for t in 0..<positions {
                    let slot = t < settled ? t : settled + Int(path[t - settled])
                    let x = RowKernelTests.values(size, seed: seed + UInt64(t), range: 1)
                    unsafe bytes.withUnsafeMutableBytes { bytes in
                        unsafe table.store(type, bytes.baseAddress! + slot * stride, x, size)
                    }
                }
                return bytes
            }
            var queries: [Float] = []
            for head in 0..<group {
                queries += RowKernelTests.values(size, seed: UInt64(9000 + head), range: 1)
                queries += [Float](repeating: 0, count: padded - size)
            }
            var out = [Float](repeating: .nan, count: group * padded)
            let keys = records(seed: 100)
            let values = records(seed: 50_000)
            unsafe keys.withUnsafeBytes { keys in
                unsafe values.withUnsafeBytes { values in
                    unsafe queries.withUnsafeBufferPointer { queries in
                        unsafe path.withUnsafeBufferPointer { path in
                            unsafe out.withUnsafeMutableBufferPointer { out in
                                var row = unsafe ft_attention_row()
                                unsafe row.type = type
                                unsafe row.head_size = padded
                                unsafe row.keys = keys.baseAddress
                                unsafe row.values = values.baseAddress
                                unsafe row.stride = stride
                                unsafe row.settled = settled
                                unsafe row.path = path.baseAddress
                                unsafe row.first = first
                                unsafe row.end = positions
                                unsafe row.group = group
                                unsafe row.query = queries.baseAddress
                                unsafe row.scale = 0.2
                                unsafe row.cap = cap
                                unsafe row.out = out.baseAddress
                                unsafe table.attend(&row)
                            }
                        }
                    }
                }
            }
            return out
        }
    }

    @Test("gives what the plain kernel gives", arguments: sets, types)
    func plain(isa: ft_isa, type: ft_cache_type) {
        for (size, group) in [(8, 1), (32, 2), (64, 8), (96, 3), (80, 7), (12, 4)] {
            for positions in [1, 2, 63, 64, 65, 130] {
                var test = Case(type: type, size: size, group: group, positions: positions, settled: positions / 2)
                for (first, cap) in [(0, Float(0)), (positions / 3, 0), (0, 3)] {
                    test.first = first
                    test.cap = cap
                    let plain = test.run(FT_ISA_SCALAR) { Int32($0 - test.settled) }
                    let fast = test.run(isa) { Int32($0 - test.settled) }
                    #expect(
                        RowKernelTests.near(plain, fast, relative: 1e-5, absolute: 1e-5),
                        "head size \(size), group \(group), \(positions) positions from \(first), cap \(cap)")
                }
            }
        }
    }

    @Test("does not depend on where keys lie", arguments: sets + [FT_ISA_SCALAR], types)
    func places(isa: ft_isa, type: ft_cache_type) {
        for (size, group) in [(8, 1), (64, 8), (48, 3)] {
            let reference = Case(type: type, size: size, group: group, positions: 150, settled: 150)
                .run(isa) { Int32($0) }
            for settled in [0, 1, 64, 100, 149] {
                let test = Case(type: type, size: size, group: group, positions: 150, settled: settled)
                #expect(test.run(isa) { Int32($0 - settled) } == reference, "one after the other from \(settled)")
                #expect(test.run(isa) { Int32(3 * ($0 - settled) + 2) } == reference, "scattered from \(settled)")
                #expect(test.run(isa) { Int32(4 * (149 - $0)) } == reference, "backwards from \(settled)")
            }
        }
    }
}
