import CKernels
import Testing

/// The row kernels of this processor against the plain ones, over lengths with and without remainders.
@Suite struct RowKernelTests {
    static let sets: [ft_isa] = [FT_ISA_AVX2, FT_ISA_NEON].filter { ft_isa_supported($0) }
    static let lengths = [1, 7, 8, 9, 31, 64, 172, 257, 1024]

    /// A fixed stream of values in (-range, range).
    static func values(_ count: Int, seed: UInt64, range: Float = 4) -> [Float] {
        var state = seed &* 0x9E37_79B9_7F4A_7C15 | 1
        return (0..<count).map { _ in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return (Float(state >> 40) / Float(1 << 23) - 1) * range
        }
    }

    static func near(_ a: [Float], _ b: [Float], relative: Float = 2e-6, absolute: Float = 2e-6) -> Bool {
        zip(a, b).allSatisfy { abs($0 - $1) <= absolute + relative * max(abs($0), abs($1)) }
    }

    /// Runs `body` with the plain table and with the set's, on copies of the same values.
    static func both(
        _ isa: ft_isa, _ x: [Float], _ body: (ft_vector_kernels, UnsafeMutablePointer<Float>) -> Void
    ) -> ([Float], [Float]) {
        func run(_ isa: ft_isa) -> [Float] {
            var copy = x
            unsafe copy.withUnsafeMutableBufferPointer {
                unsafe body(ft_vector_kernels_for(isa).pointee, $0.baseAddress!)
            }
            return copy
        }
        return (run(FT_ISA_SCALAR), run(isa))
    }

    @Test("element by element functions", arguments: sets, lengths)
    func elements(isa: ft_isa, n: Int) {
        let x = Self.values(n, seed: UInt64(n))
        let y = Self.values(n, seed: UInt64(n) + 1000)
        unsafe y.withUnsafeBufferPointer { y in
            let other = y.baseAddress!
            let bodies: [(ft_vector_kernels, UnsafeMutablePointer<Float>) -> Void] = unsafe [
                { unsafe $0.rms_norm($1, $1, other, n, 1e-5) },
                { unsafe $0.rms_norm($1, $1, nil, n, 1e-5) },
                { unsafe $0.layer_norm($1, $1, other, other, n, 1e-5) },
                { unsafe $0.silu($1, n) },
                { unsafe $0.silu_multiply($1, other, n) },
                { unsafe $0.gelu_multiply($1, other, n) },
                { unsafe $0.add_scaled($1, other, 0.3, n) },
                { unsafe $0.scale($1, 1.7, n) },
                { unsafe $0.soft_cap($1, 3, n) },
                { unsafe $0.add_squares($1, other, n) },
            ]
            for unsafe(index, body) in unsafe zip(0..., bodies) {
                let (plain, fast) = unsafe Self.both(isa, x, body)
                #expect(Self.near(plain, fast, relative: 4e-6), "function \(index), length \(n)")
            }
        }
    }

    @Test("the exponential keeps its accuracy over its range", arguments: sets)
    func exponential(isa: ft_isa) {
        let x = Self.values(4096, seed: 5, range: 80)
        let (plain, fast) = unsafe Self.both(isa, x) { unsafe $0.silu($1, 4096) }
        for index in x.indices {
            #expect(abs(plain[index] - fast[index]) <= 4e-7 * abs(plain[index]) + 1e-33, "x = \(x[index])")
        }
    }

    @Test("rotation in both orders", arguments: sets, [4, 16, 20, 64])
    func rotation(isa: ft_isa, pairs: Int) {
        let size = 2 * pairs + 6
        let x = Self.values(3 * size, seed: UInt64(pairs))
        let cosine = Self.values(pairs, seed: 1, range: 1)
        let sine = Self.values(pairs, seed: 2, range: 1)
        for interleaved in [false, true] {
            let (plain, fast) = unsafe Self.both(isa, x) { table, pointer in
                unsafe cosine.withUnsafeBufferPointer { c in
                    unsafe sine.withUnsafeBufferPointer { s in
                        unsafe table.rotate(pointer, 3, size, c.baseAddress, s.baseAddress, pairs, interleaved)
                    }
                }
            }
            #expect(Self.near(plain, fast))
            #expect(plain[(size - 6)..<size] == x[(size - 6)..<size], "elements past the pairs stay")
        }
    }

    @Test("the first of the largest elements, and anything not finite", arguments: sets + [FT_ISA_SCALAR])
    func searches(isa: ft_isa) {
        for n in Self.lengths {
            var x = Self.values(n, seed: UInt64(n) + 7)
            let peak = n * 2 / 3
            x[peak] = 9
            if peak + 1 < n { x[n - 1] = 9 }
            unsafe x.withUnsafeMutableBufferPointer { x in
                let table = unsafe ft_vector_kernels_for(isa).pointee
                #expect(unsafe table.largest(x.baseAddress, n) == peak)
                #expect(unsafe table.all_finite(x.baseAddress, n))
                for bad in [Float.nan, .infinity, -.infinity] {
                    for place in [0, n / 2, n - 1] {
                        let kept = unsafe x[place]
                        unsafe x[place] = bad
                        #expect(unsafe !table.all_finite(x.baseAddress, n), "\(bad) at \(place) of \(n)")
                        unsafe x[place] = kept
                    }
                }
            }
        }
    }
}
