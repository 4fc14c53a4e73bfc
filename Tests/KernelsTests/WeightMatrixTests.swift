import Kernels
import TensorFiles
import Testing

@Suite struct WeightMatrixTests {
    private static let sets = InstructionSet.allCases.filter(\.isSupported)

    /// All outputs for all rows, [rows, outputs].
    private func outputs(
        _ matrix: WeightMatrix, _ values: [Float], pool: WorkerPool, rowPadding: Int = 0
    ) throws -> [Float] {
        let rows = values.count / matrix.columns
        let x = Activations(capacity: rows, columns: matrix.columns, pool: pool)
        x.load(try FloatBuffer(values), rows: rows)
        let stride = matrix.rows + rowPadding
        let out = try FloatBuffer(count: rows * stride)
        out.fill(0..<out.count, with: .nan)
        try matrix.multiply(x, into: out, rowStride: stride)
        return (0..<rows).flatMap { row in
            #expect(
                out.array(row * stride + matrix.rows..<(row + 1) * stride).allSatisfy { $0.isNaN },
                "wrote past its outputs")
            return out.array(row * stride..<row * stride + matrix.rows)
        }
    }

    @Test(arguments: RandomTensors.packedTypes)
    func rowsReadBackAsTheTensorsDecoderReadsThem(type: ElementType) throws {
        for set in Self.sets {
            let pool = try WorkerPool(threads: 2, instructionSet: set)
            for (rows, columns) in [(1, 256), (13, 512), (33, 768)] {
                let tensor = try RandomTensors.tensor(type, rows: rows, columns: columns, seed: 3)
                for precision in ActivationPrecision.allCases {
                    let matrix = try WeightMatrix(tensor, precision: precision, pool: pool)
                    let row = try FloatBuffer(count: columns)
                    for index in 0..<rows {
                        matrix.row(index, into: row)
                        let expected = try tensor.floats(rows: index..<index + 1)
                        let same = zip(row.array(0..<columns), expected).allSatisfy { $0.bitPattern == $1.bitPattern }
                        #expect(same, "\(set) row \(index)")
                    }
                }
            }
        }
    }

    /// The bound of the error: 8-bit activations are off by at most half a step of their block's largest / 127.
    @Test(arguments: RandomTensors.packedTypes)
    func outputsAreTheProductWithinTheStepOfTheActivations(type: ElementType) throws {
        let pool = try WorkerPool(threads: 2)
        let columns = 512
        let tensor = try RandomTensors.tensor(type, rows: 20, columns: columns, seed: 5)
        let values = RandomTensors.activations(rows: 3, columns: columns, seed: 6)
        let weights = try tensor.floats()
        for precision in ActivationPrecision.allCases {
            let matrix = try WeightMatrix(tensor, precision: precision, pool: pool)
            let result = try outputs(matrix, values, pool: pool)
            for r in 0..<3 {
                for o in 0..<20 {
                    var exact = 0.0
                    var size = 0.0
                    for k in 0..<columns {
                        let w = Double(weights[o * columns + k])
                        exact += w * Double(values[r * columns + k])
                        size += abs(w)
                    }
                    let isExact = precision == .float32 || !type.isQuantized
                    let bound = size * (isExact ? 1e-5 : 8 / 127.0 * 0.51)
                    #expect(abs(Double(result[r * 20 + o]) - exact) <= bound, "\(precision) row \(r) output \(o)")
                }
            }
        }
    }

    @Test(arguments: RandomTensors.packedTypes)
    func everyInstructionSetGivesTheSameBits(type: ElementType) throws {
        let scalar = try WorkerPool(threads: 2, instructionSet: .scalar)
        for columns in type.block.elements == 256 ? [256, 1024] : [32, 256, 352, 1056] {
            let tensor = try RandomTensors.tensor(type, rows: 43, columns: columns, seed: 7)
            let values = RandomTensors.activations(rows: 21, columns: columns, seed: 8)
            let expected = try outputs(try WeightMatrix(tensor, pool: scalar), values, pool: scalar)
            for set in Self.sets where set != .scalar {
                let pool = try WorkerPool(threads: 2, instructionSet: set)
                for rows in [1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 21] {
                    let result = try outputs(
                        try WeightMatrix(tensor, pool: pool), Array(values[..<(rows * columns)]), pool: pool)
                    #expect(
                        zip(result, expected).allSatisfy { $0.bitPattern == $1.bitPattern },
                        "\(set), \(rows) rows, \(columns) columns")
                }
            }
        }
    }

    /// Rows alone, in batches of any size at any place, under any number of threads, and chosen outputs.
    @Test(arguments: RandomTensors.packedTypes, ActivationPrecision.allCases)
    func aRowsOutputsDependOnNothingElse(type: ElementType, precision: ActivationPrecision) throws {
        let columns = type.block.elements == 256 ? 512 : 288
        let tensor = try RandomTensors.tensor(type, rows: 77, columns: columns, seed: 11)
        let values = RandomTensors.activations(rows: 140, columns: columns, seed: 12)
        let one = try WorkerPool(threads: 1)
        let alone = try WeightMatrix(tensor, precision: precision, pool: one)
        let expected = try (0..<140).map { row in
            try outputs(alone, Array(values[row * columns..<(row + 1) * columns]), pool: one)
        }
        var generator = SplitMix(state: 13)
        for threads in 1...4 {
            let pool = try WorkerPool(threads: threads)
            let matrix = try WeightMatrix(tensor, precision: precision, pool: pool)
            var sizes = [2, 3, 128, 140]
            for _ in 0..<6 { sizes.append(Int.random(in: 2...127, using: &generator)) }
            for size in sizes {
                let start = Int.random(in: 0...140 - size, using: &generator)
                let batch = Array(values[start * columns..<(start + size) * columns])
                let result = try outputs(matrix, batch, pool: pool, rowPadding: size % 3)
                #expect(
                    zip(result, expected[start..<start + size].joined()).allSatisfy {
                        $0.bitPattern == $1.bitPattern
                    },
                    "\(size) rows from \(start), \(threads) threads")
                let chosen = (0..<9).map { _ in UInt32.random(in: 0..<77, using: &generator) }
                let x = Activations(capacity: size, columns: columns, pool: pool)
                x.load(try FloatBuffer(batch), rows: size)
                let some = try FloatBuffer(count: size * 9)
                try matrix.multiply(x, chosen: chosen, into: some)
                for row in 0..<size {
                    #expect(
                        some.array(row * 9..<row * 9 + 9).map(\.bitPattern)
                            == chosen.map { expected[start + row][Int($0)].bitPattern })
                }
            }
        }
    }

    @Test func matricesThatShareTheirInputGiveWhatTheyGiveAlone() throws {
        let pool = try WorkerPool(threads: 3)
        let types: [ElementType] = [.q4_K, .q6_K, .f16, .q8_0, .q4_0]
        let matrices = try types.enumerated().map { index, type in
            try WeightMatrix(
                try RandomTensors.tensor(type, rows: 24 + 7 * index, columns: 512, seed: UInt64(index)), pool: pool)
        }
        let values = RandomTensors.activations(rows: 5, columns: 512, seed: 2)
        let x = Activations(capacity: 8, columns: 512, pool: pool)
        x.load(try FloatBuffer(values), rows: 5)
        let width = matrices.map(\.rows).reduce(0, +)
        let together = try FloatBuffer(count: 5 * width)
        var products: [Product] = []
        var offset = 0
        for matrix in matrices {
            products.append(Product(matrix, into: together, offset: offset, rowStride: width))
            offset += matrix.rows
        }
        try WeightMatrix.multiply(products, x)
        offset = 0
        for matrix in matrices {
            let alone = try outputs(matrix, values, pool: pool)
            for row in 0..<5 {
                let start = row * width + offset
                #expect(
                    together.array(start..<start + matrix.rows)
                        == Array(alone[row * matrix.rows..<(row + 1) * matrix.rows]))
            }
            offset += matrix.rows
        }
    }

    @Test func chosenRowsMakeAMatrixOfTheirOwn() throws {
        let pool = try WorkerPool(threads: 2)
        let tensor = try RandomTensors.tensor(.q5_K, rows: 40, columns: 256, seed: 1)
        let chosen = [39, 0, 7, 7, 21, 3, 30, 11, 12]
        let matrix = try WeightMatrix(tensor, chosen: chosen, pool: pool)
        let row = try FloatBuffer(count: 256)
        for (index, source) in chosen.enumerated() {
            matrix.row(index, into: row)
            #expect(try row.array(0..<256) == tensor.floats(rows: source..<source + 1))
        }
    }

    /// A NaN or an infinity must not vanish in a quantized row: it reaches every output.
    @Test(arguments: RandomTensors.packedTypes, [Float.nan, .infinity, -.infinity])
    func whatIsNotANumberStaysVisible(type: ElementType, poison: Float) throws {
        for set in Self.sets {
            let pool = try WorkerPool(threads: 1, instructionSet: set)
            let matrix = try WeightMatrix(
                try RandomTensors.tensor(type, rows: 9, columns: 512, seed: 4), pool: pool)
            for place in [0, 5, 37, 300, 511] {
                var values = RandomTensors.activations(rows: 1, columns: 512, seed: 9)
                values[place] = poison
                #expect(try outputs(matrix, values, pool: pool).allSatisfy { !$0.isFinite }, "\(set) at \(place)")
            }
        }
    }

    @Test func typesWithoutPanelsRunAsFloats() throws {
        let pool = try WorkerPool(threads: 2)
        for type in [ElementType.iq2_XXS, .iq3_S] {
            let tensor = try RandomTensors.tensor(type, rows: 11, columns: 512, seed: 4)
            let matrix = try WeightMatrix(tensor, pool: pool)
            let values = RandomTensors.activations(rows: 2, columns: 512, seed: 9)
            let result = try outputs(matrix, values, pool: pool)
            let weights = try tensor.floats()
            for (index, value) in result.enumerated() {
                let (r, o) = index.quotientAndRemainder(dividingBy: 11)
                let terms = (0..<512).map { Double(weights[o * 512 + $0]) * Double(values[r * 512 + $0]) }
                #expect(abs(Double(value) - terms.reduce(0, +)) <= 1e-5 * terms.map(abs).reduce(0, +))
            }
        }
    }

    @Test func tensorsThatAreNoWeightsAreRefused() throws {
        let pool = try WorkerPool(threads: 1)
        let integers = try #require(
            Tensor(name: "ids", shape: [2, 2], type: .i32, source: MemorySource([UInt8](repeating: 0, count: 16))))
        #expect(throws: KernelError.noProduct(tensor: "ids", .i32)) { _ = try WeightMatrix(integers, pool: pool) }
        let empty = try #require(Tensor(name: "none", shape: [0, 32], type: .f32, source: MemorySource([])))
        #expect(throws: KernelError.notMatrix(tensor: "none", rows: empty.rowCount, columns: empty.rowLength)) {
            _ = try WeightMatrix(empty, pool: pool)
        }
    }
}
