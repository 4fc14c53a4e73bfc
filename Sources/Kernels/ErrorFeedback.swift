import CKernels
package import TensorFiles

/// Codes chosen by what is known of a matrix's inputs: column after column, each making up for what those before it did
/// to the output (GPTQ, Frantar et al. 2022). Blocks and groups have their scales before, so the order is free, columns of
/// largest mean square come first, and nothing has to be permuted when the model runs.
public struct ErrorFeedback: Sendable {
    /// Columns of F.
    public static let rank = Int(FT_FEEDBACK_RANK)

    /// Mean squares of the columns.
    public let diagonal: [Float]
    /// Where in the order of coding each column comes.
    private let places: [UInt32]
    /// In the order of coding: the upper factor of the inverse of the moments; or empty, and F and its answers are there.
    private let upper: [Float]
    private let directions: [Float]
    private let answers: [Float]
    /// What an error of each column costs that other columns cannot make up for, D where F is known; scales are searched
    /// with these weights.
    public let weights: [Float]

    /// Columns in the order in which they are coded, by their mean squares.
    public static func order(diagonal: [Float]) -> [Int] {
        diagonal.indices.sorted { (diagonal[$1], $0) < (diagonal[$0], $1) }
    }

    private static func places(_ order: [Int]) -> [UInt32] {
        var places = [UInt32](repeating: 0, count: order.count)
        for (place, column) in order.enumerated() { places[column] = UInt32(place) }
        return places
    }

    public var columns: Int { diagonal.count }
    /// Whether the second moments are known as a whole. Rows are then best coded many at a time.
    public var isWhole: Bool { !upper.isEmpty }

    /// For whole second moments H.
    ///
    /// - Parameters:
    ///   - diagonal: of H.
    ///   - upper: columns × columns in the order of coding, U'U = H⁻¹.
    public init(diagonal: [Float], upper: [Float]) {
        precondition(upper.count == diagonal.count * diagonal.count, "a square matrix of the columns")
        self.diagonal = diagonal
        let order = Self.order(diagonal: diagonal)
        places = Self.places(order)
        var weights = [Float](repeating: 0, count: diagonal.count)
        for (place, column) in order.enumerated() {
            let own = upper[place * order.count + place]
            weights[column] = 1 / (own * own)
        }
        self.weights = weights
        self.upper = upper
        (directions, answers) = ([], [])
    }

    /// For second moments taken as diag(D) + F F', at the cost of F's columns for each weight instead of the row's length.
    ///
    /// - Parameters:
    ///   - diagonal: mean squares of the columns, from which D follows.
    ///   - factor: columns × `rank`, F.
    public init(diagonal: [Float], factor: [Float]) {
        precondition(factor.count == diagonal.count * Self.rank, "a row of factors for each column")
        self.diagonal = diagonal
        upper = []
        // What F leaves of a column; never so little that another column's whole error could be moved into it.
        var rest = diagonal.indices.map { column in
            let known = factor[column * Self.rank..<(column + 1) * Self.rank].reduce(0) { $0 + $1 * $1 }
            return max(diagonal[column] - known, 0.01 * diagonal[column])
        }
        let mean = rest.reduce(0.0) { $0 + Double($1) } / Double(max(1, rest.count))
        let least = max(Float(1e-3 * mean), .leastNormalMagnitude)
        for column in rest.indices { rest[column] = max(rest[column], least) }
        weights = rest
        let order = Self.order(diagonal: diagonal)
        places = Self.places(order)
        var directions: [Float] = []
        directions.reserveCapacity(factor.count)
        for column in order { directions += factor[column * Self.rank..<(column + 1) * Self.rank] }
        var answers = [Float](repeating: 0, count: factor.count)
        let ordered = order.map { rest[$0] }
        unsafe answers.withUnsafeMutableBufferPointer { answers in
            unsafe directions.withUnsafeBufferPointer { directions in
                unsafe ordered.withUnsafeBufferPointer { ordered in
                    unsafe ft_feedback_answers(
                        directions.baseAddress, ordered.baseAddress, ordered.count, answers.baseAddress)
                }
            }
        }
        self.directions = directions
        self.answers = answers
    }

    /// Bytes that the second form takes.
    public static func byteCount(columns: Int) -> Int { columns * (2 * rank * 4 + 12) }

    /// Bytes that choosing a row's codes takes: weights, scales, errors and codes of its columns. Few directions need them
    /// for sixteen rows at a time.
    public static func workBytes(columns: Int) -> Int { 7 * columns + 1024 }

    private func withKernel<Result>(_ body: (UnsafePointer<ft_feedback>) -> Result) -> Result {
        unsafe places.withUnsafeBufferPointer { places in
            unsafe upper.withUnsafeBufferPointer { upper in
                unsafe directions.withUnsafeBufferPointer { directions in
                    unsafe answers.withUnsafeBufferPointer { answers in
                        var feedback = unsafe ft_feedback(
                            place: places.baseAddress, upper: upper.isEmpty ? nil : upper.baseAddress,
                            directions: directions.baseAddress, answers: answers.baseAddress)
                        return unsafe body(&feedback)
                    }
                }
            }
        }
    }

    /// Chooses the codes of whole rows of blocks; their scales stay. `values` are what the blocks stand for.
    package func choose(
        _ blocks: inout [UInt8], of type: ElementType, for values: [Float], with isa: InstructionSet = .avx2
    ) throws(KernelError) {
        precondition(columns > 0 && values.count % columns == 0, "whole rows of the columns that the feedback knows")
        guard let number = BlockCodec.number(of: type), BlockCodec.canEncode(type, .search), type.isQuantized else {
            throw .unencodable(type)
        }
        let rows = values.count / columns
        guard type.byteCount(elements: columns).map({ $0 * rows }) == blocks.count else {
            throw .partialBlocks(type, rowLength: columns)
        }
        let done = unsafe withKernel { feedback in
            unsafe blocks.withUnsafeMutableBufferPointer { blocks in
                unsafe values.withUnsafeBufferPointer { values in
                    unsafe ft_feedback_rows(
                        isa.identifier, number, values.baseAddress, rows, columns, feedback, blocks.baseAddress)
                }
            }
        }
        guard done else { throw .outOfMemory(bytes: rows * Self.workBytes(columns: columns)) }
    }

    /// The same for groups.
    package func choose(
        _ groups: inout EncodedGroups, in format: GroupFormat, for values: [Float], with isa: InstructionSet = .avx2
    ) throws(KernelError) {
        precondition(columns > 0 && values.count % columns == 0, "whole rows of the columns that the feedback knows")
        let rows = values.count / columns
        var number = format.number(columns: columns)
        let done = unsafe withKernel { feedback in
            unsafe groups.codes.withUnsafeMutableBufferPointer { codes in
                unsafe groups.scales.withUnsafeBufferPointer { scales in
                    unsafe groups.offsets.withUnsafeBufferPointer { offsets in
                        unsafe values.withUnsafeBufferPointer { values in
                            unsafe ft_feedback_groups(
                                isa.identifier, &number, values.baseAddress, rows, columns, feedback,
                                codes.baseAddress, scales.baseAddress, offsets.baseAddress)
                        }
                    }
                }
            }
        }
        guard done else { throw .outOfMemory(bytes: rows * Self.workBytes(columns: columns)) }
    }

    /// The error that rows bring to the matrix's output, e H e' summed over rows in their order. H is what codes are chosen
    /// against: diag(D) + F F', or the whole moments with what was added to their diagonal.
    public func error(of decoded: [Float], against values: [Float]) -> Double {
        precondition(decoded.count == values.count && columns > 0 && values.count % columns == 0)
        var total = 0.0
        var scratch = [Double](repeating: 0, count: isWhole ? columns : 0)
        unsafe withKernel { feedback in
            unsafe values.withUnsafeBufferPointer { a in
                unsafe decoded.withUnsafeBufferPointer { b in
                    unsafe weights.withUnsafeBufferPointer { rest in
                        unsafe scratch.withUnsafeMutableBufferPointer { scratch in
                            for start in stride(from: 0, to: values.count, by: columns) {
                                total += unsafe ft_feedback_error(
                                    a.baseAddress! + start, b.baseAddress! + start, columns, feedback,
                                    rest.baseAddress,
                                    scratch.baseAddress)
                            }
                        }
                    }
                }
            }
        }
        return total
    }
}
