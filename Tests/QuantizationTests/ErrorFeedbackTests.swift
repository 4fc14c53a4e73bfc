import CKernels
import Foundation
import Kernels
import Quantization
import TensorFiles
import TestSupport
import Testing

/// Codes chosen against second moments, held against the definition: each column at the value that the columns to come
/// could best make up for.
@Suite struct ErrorFeedbackTests {
    static let types = ElementType.allCases.filter { $0.isQuantized && BlockCodec.canEncode($0, .search) }

    /// Inputs that few directions explain for the most part, rows × columns.
    private static func inputs(_ rows: Int, _ columns: Int, directions: Int = 3) -> [Float] {
        var state: UInt64 = 7
        func next() -> Float {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Float(state >> 40) / 0x1p23 - 1
        }
        let axes = (0..<directions * columns).map { _ in next() }
        return (0..<rows).flatMap { _ in
            let parts = (0..<directions).map { _ in next() }
            return (0..<columns).map { column in
                let known = (0..<directions).reduce(Float(0)) { $0 + parts[$1] * axes[$1 * columns + column] }
                return known + 0.3 * next() * Float(1 + column % 5)
            }
        }
    }

    private static func weights(_ count: Int) -> [Float] {
        var state: UInt64 = 99
        return (0..<count).map { _ in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            let value = Float(state >> 40) / 0x1p23 - 1
            return value * value * value
        }
    }

    /// Whole moments, their diagonal, and both kinds of feedback.
    private struct Known {
        let moments: [Float]
        let diagonal: [Float]
        let factor: [Float]
        let few: ErrorFeedback
        let whole: ErrorFeedback

        init(columns n: Int) throws {
            let rows = inputs(400, n)
            var sketch = MomentSketch(columns: n)
            sketch.add(rows, pool: try WorkerPool(threads: 1))
            var moments = [Float](repeating: 0, count: n * n)
            try Moments.addMoments(of: rows, columns: n, to: &moments, pool: WorkerPool(threads: 2))
            for i in 0..<n { for j in 0..<i { moments[i * n + j] = moments[j * n + i] } }
            self.moments = moments
            let diagonal = (0..<n).map { moments[$0 * n + $0] }
            self.diagonal = diagonal
            factor = sketch.factor()
            few = ErrorFeedback(diagonal: diagonal, factor: factor)
            whole = try HessianFactor(moments, columns: n, tensor: "test").feedback
        }

        /// H that a kind of feedback stands for, columns × columns.
        func moments(whole: Bool) -> [Double] {
            let n = diagonal.count
            let rank = ErrorFeedback.rank
            if whole {
                let mean = diagonal.reduce(0.0) { $0 + Double($1) } / Double(n)
                return (0..<n * n).map { Double(moments[$0]) + ($0 % (n + 1) == 0 ? 0.01 * mean : 0) }
            }
            return (0..<n * n).map { at in
                var sum = at % (n + 1) == 0 ? Double(few.weights[at / n]) : 0
                for r in 0..<rank { sum += Double(factor[at / n * rank + r]) * Double(factor[at % n * rank + r]) }
                return sum
            }
        }
    }

    private static func decoded(_ bytes: [UInt8], _ type: ElementType, _ count: Int) throws -> [Float] {
        try BlockCodec.decode(type, unsafe bytes.span.bytes, count: count)
    }

    /// The value that makes e H e' least when the columns after it may take any real error, found by solving for all of
    /// them; the code must be one of the nearest to it.
    @Test(arguments: [false, true]) func everyColumnIsAtTheValueThatTheRestCanBestMakeUpFor(whole: Bool) throws {
        let n = 64
        let rows = 3
        let known = try Known(columns: n)
        let feedback = whole ? known.whole : known.few
        let moments = known.moments(whole: whole)
        let values = Self.weights(rows * n)
        let bytes = try BlockCodec.encode(.q4_1, .search, values, rowLength: n, feedback: feedback)
        let coded = try Self.decoded(bytes, .q4_1, values.count)
        let order = ErrorFeedback.order(diagonal: known.diagonal)
        #expect(zip(order, order.dropFirst()).allSatisfy { known.diagonal[$0] >= known.diagonal[$1] })
        var moved = 0
        for row in 0..<rows {
            let w = (0..<n).map { Double(values[row * n + $0]) }
            let e = (0..<n).map { w[$0] - Double(coded[row * n + $0]) }
            for (place, column) in order.enumerated() where place % 5 == 0 || place > n - 4 {
                let ahead = Array(order[place...])
                let matrix = ahead.map { i in ahead.map { moments[i * n + $0] } }
                let side = ahead.map { i in
                    -order[..<place].reduce(0.0) { $0 + moments[i * n + $1] * e[$1] }
                }
                let wanted = w[column] - Self.solution(matrix, side)[0]
                let block = row * n / 32 + column / 32
                let scale = Self.half(bytes, 20 * block)
                let offset = Self.half(bytes, 20 * block + 2)
                let most = offset + 15 * scale
                let nearest =
                    offset + scale
                    * ((min(max(wanted, min(offset, most)), max(offset, most)) - offset) / scale).rounded()
                // Rounding of floats decides where the target lies halfway.
                let chosen = w[column] - e[column]
                #expect(
                    abs(chosen - nearest) < 1e-4 || abs(abs(wanted - chosen) - abs(scale) / 2) < 1e-3,
                    "row \(row) column \(column)")
                if abs(w[column] - chosen) > 0.51 * abs(scale) { moved += 1 }
            }
        }
        #expect(moved > 0, "some column answers to others")
    }

    private static func half(_ bytes: [UInt8], _ at: Int) -> Double {
        Double(Float16(bitPattern: UInt16(bytes[at]) | UInt16(bytes[at + 1]) << 8))
    }

    /// Gauss's elimination; the matrices are positive definite.
    private static func solution(_ matrix: [[Double]], _ side: [Double]) -> [Double] {
        var a = matrix
        var b = side
        let n = b.count
        for k in 0..<n {
            for i in k + 1..<max(n, k + 1) where i < n {
                let f = a[i][k] / a[k][k]
                for j in k..<n { a[i][j] -= f * a[k][j] }
                b[i] -= f * b[k]
            }
        }
        for k in (0..<n).reversed() {
            for j in k + 1..<max(n, k + 1) where j < n { b[k] -= a[k][j] * b[j] }
            b[k] /= a[k][k]
        }
        return b
    }

    /// The output's error falls for every type, and what the feedback says of it is e H e'.
    @Test(arguments: types) func outputsLoseLess(type: ElementType) throws {
        let n = 256
        let rows = 9
        let known = try Known(columns: n)
        let (fewMoments, wholeMoments) = (known.moments(whole: false), known.moments(whole: true))
        let values = Self.weights(rows * n)
        let importance = try BlockCodec.encode(type, .search, values, rowLength: n, importance: known.diagonal)
        func losses(_ bytes: [UInt8]) throws -> (few: Double, whole: Double) {
            let coded = try Self.decoded(bytes, type, values.count)
            var result = (few: 0.0, whole: 0.0)
            for row in 0..<rows {
                let e = (0..<n).map { Double(values[row * n + $0]) - Double(coded[row * n + $0]) }
                for i in 0..<n {
                    for j in 0..<n {
                        result.few += e[i] * fewMoments[i * n + j] * e[j]
                        result.whole += e[i] * wholeMoments[i * n + j] * e[j]
                    }
                }
            }
            let told = known.few.error(of: coded, against: values)
            #expect(abs(told - result.few) <= 1e-4 * result.few)
            let toldWhole = known.whole.error(of: coded, against: values)
            #expect(abs(toldWhole - result.whole) <= 1e-3 * result.whole)
            return result
        }
        let plain = try losses(importance)
        let few = try losses(BlockCodec.encode(type, .search, values, rowLength: n, feedback: known.few))
        let whole = try losses(BlockCodec.encode(type, .search, values, rowLength: n, feedback: known.whole))
        #expect(few.few < 0.7 * plain.few)
        #expect(few.whole < 0.7 * plain.whole)
        #expect(whole.whole < few.whole)
    }

    /// Plain and fast kernels choose the same codes, and a row's do not depend on the others.
    @Test(arguments: types) func instructionSetsAndNeighboursChangeNothing(type: ElementType) throws {
        let n = 512
        let rows = 11
        let known = try Known(columns: n)
        let values = Self.weights(rows * n)
        let start = try BlockCodec.encode(type, .search, values, rowLength: n, importance: known.diagonal)
        for feedback in [known.few, known.whole] {
            let sets = try [InstructionSet.scalar, .avx2].map { isa in
                var bytes = start
                try feedback.choose(&bytes, of: type, for: values, with: isa)
                return bytes
            }
            #expect(sets[0] == sets[1] && sets[0] != start)
            let all = try BlockCodec.encode(type, .search, values, rowLength: n, feedback: feedback)
            let rowBytes = all.count / rows
            for row in [0, 4, 10] {
                let own = try BlockCodec.encode(
                    type, .search, Array(values[row * n..<(row + 1) * n]), rowLength: n, feedback: feedback)
                #expect(own == Array(all[row * rowBytes..<(row + 1) * rowBytes]), "row \(row)")
            }
        }
    }

    /// Scales belong to the search, codes to the feedback.
    @Test(arguments: types) func scalesStay(type: ElementType) throws {
        let n = 256
        let known = try Known(columns: n)
        let values = Self.weights(2 * n)
        let number = try #require(BlockCodec.number(of: type))
        func grids(_ bytes: [UInt8]) -> [UInt8] {
            unsafe bytes.withUnsafeBufferPointer { bytes in
                stride(from: 0, to: bytes.count, by: type.block.bytes).flatMap { at in
                    var fields = ft_block_fields()
                    _ = unsafe ft_unpack_block(number, bytes.baseAddress! + at, &fields)
                    return unsafe withUnsafeBytes(of: fields) { unsafe Array($0.prefix(36)) }
                }
            }
        }
        var bytes = try BlockCodec.encode(type, .search, values, rowLength: n, importance: known.few.weights)
        let before = grids(bytes)
        try known.few.choose(&bytes, of: type, for: values)
        #expect(grids(bytes) == before)
    }

    /// Inputs of at most 32 directions are known whole, and nothing is ever taken for more than it is.
    @Test(arguments: [1, 5, 32, 60]) func sketchesFindTheDirections(directions: Int) throws {
        let n = 96
        let rows = 150
        let rank = ErrorFeedback.rank
        var axes = Self.inputs(directions, n, directions: 4)
        for k in 0..<directions { for j in 0..<n { axes[k * n + j] *= pow(0.85, Float(k)) } }
        let parts = Self.weights(rows * directions)
        let x = (0..<rows * n).map { at in
            (0..<directions).reduce(Float(0)) { $0 + parts[at / n * directions + $1] * axes[$1 * n + at % n] }
        }
        var sketch = MomentSketch(columns: n)
        // Threads change nothing.
        let pools = try (WorkerPool(threads: 1), WorkerPool(threads: 3))
        sketch.add(Array(x[..<(70 * n)]), pool: pools.0)
        var threaded = sketch
        sketch.add(Array(x[(70 * n)...]), pool: pools.0)
        threaded.add(Array(x[(70 * n)...]), pool: pools.1)
        #expect(threaded.values == sketch.values)
        let factor = sketch.factor()
        var moments = [Float](repeating: 0, count: n * n)
        try Moments.addMoments(of: x, columns: n, to: &moments, pool: WorkerPool(threads: 2))
        var (missed, energy) = (0.0, 0.0)
        for i in 0..<n {
            for j in i..<n {
                let found = (0..<rank).reduce(0.0) {
                    $0 + Double(factor[i * rank + $1]) * Double(factor[j * rank + $1])
                }
                let share = i == j ? 1.0 : 2
                missed += share * pow(Double(moments[i * n + j]) - found, 2)
                energy += share * pow(Double(moments[i * n + j]), 2)
                if i == j { #expect(found <= 1.001 * Double(moments[i * n + i]) + 1e-6 * energy.squareRoot()) }
            }
        }
        #expect((missed / energy).squareRoot() < (directions <= 32 ? 1e-3 : 0.02))
    }

    @Test func nothingIsKnownOfNoInputs() {
        let sketch = MomentSketch(columns: 40)
        #expect(sketch.factor().allSatisfy { $0 == 0 })
        #expect(MomentSketch(columns: 40, values: [1, 2]) == nil)
        // Feedback without directions is the nearest code of the block's scale.
        let values = Self.weights(64)
        let feedback = ErrorFeedback(
            diagonal: [Float](repeating: 0, count: 64), factor: [Float](repeating: 0, count: 64 * ErrorFeedback.rank))
        #expect(throws: Never.self) {
            let bytes = try BlockCodec.encode(.q4_0, .search, values, rowLength: 64)
            var again = bytes
            try feedback.choose(&again, of: .q4_0, for: values)
            #expect(try Self.decoded(again, .q4_0, 64) == Self.decoded(bytes, .q4_0, 64))
        }
    }
}
