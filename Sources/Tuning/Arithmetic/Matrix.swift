import Foundation

/// A row-major matrix of float32 that keeps its memory when it takes a new shape.
///
/// The trainer's working memory: one per activation, reused from one sequence to the next. With `RowKernels` and
/// `Product` this is the room's only unsafe memory; every view is checked against its owner once, when it is made.
@safe
final class Matrix: @unchecked Sendable {
    private(set) var rows: Int
    private(set) var columns: Int
    private var storage: UnsafeMutableBufferPointer<Float>

    init(_ rows: Int = 0, _ columns: Int = 0) {
        self.rows = rows
        self.columns = columns
        unsafe storage = Self.allocate(rows * columns)
    }

    deinit { unsafe storage.deallocate() }

    /// 64-byte aligned and zeroed.
    private static func allocate(_ count: Int) -> UnsafeMutableBufferPointer<Float> {
        let raw = UnsafeMutableRawBufferPointer.allocate(byteCount: max(1, count) * 4, alignment: 64)
        let floats = unsafe raw.bindMemory(to: Float.self)
        unsafe floats.initialize(repeating: 0)
        return unsafe floats
    }

    /// Gives the matrix another shape; what it holds is then undefined. Memory only ever grows.
    func reshape(_ rows: Int, _ columns: Int) {
        self.rows = rows
        self.columns = columns
        guard unsafe rows * columns > storage.count else { return }
        unsafe storage.deallocate()
        unsafe storage = Self.allocate(rows * columns)
    }

    var count: Int { rows * columns }

    func fill(_ value: Float) {
        for index in 0..<count { unsafe storage[index] = value }
    }

    subscript(row: Int, column: Int) -> Float {
        get {
            precondition(row >= 0 && row < rows && column >= 0 && column < columns, "outside the matrix")
            return unsafe storage[row * columns + column]
        }
        set {
            precondition(row >= 0 && row < rows && column >= 0 && column < columns, "outside the matrix")
            unsafe storage[row * columns + column] = newValue
        }
    }

    /// All elements, row after row.
    var values: [Float] {
        get { unsafe Array(UnsafeBufferPointer(rebasing: storage[0..<count])) }
        set {
            precondition(newValue.count == count, "as many values as elements")
            for index in 0..<count { unsafe storage[index] = newValue[index] }
        }
    }

    var view: MatrixView { MatrixView(self, offset: 0, rows: rows, columns: columns, stride: columns) }

    func view(rows range: Range<Int>) -> MatrixView {
        MatrixView(self, offset: range.lowerBound * columns, rows: range.count, columns: columns, stride: columns)
    }

    func view(rows range: Range<Int>, columns part: Range<Int>) -> MatrixView {
        precondition(part.lowerBound >= 0 && part.upperBound <= columns, "columns outside the matrix")
        return MatrixView(
            self, offset: range.lowerBound * columns + part.lowerBound, rows: range.count, columns: part.count,
            stride: columns)
    }

    /// The elements from `offset` on, seen as a matrix of their own.
    func view(offset: Int, rows: Int, columns: Int) -> MatrixView {
        MatrixView(self, offset: offset, rows: rows, columns: columns, stride: columns)
    }

    fileprivate func pointer(_ offset: Int) -> UnsafeMutablePointer<Float> {
        unsafe storage.baseAddress! + offset
    }

    fileprivate var capacity: Int { unsafe storage.count }
}

/// A rectangle of a `Matrix`: `rows` runs of `columns` elements, `stride` elements apart.
@safe
struct MatrixView {
    let owner: Matrix
    let offset: Int
    let rows: Int
    let columns: Int
    let stride: Int

    init(_ owner: Matrix, offset: Int, rows: Int, columns: Int, stride: Int) {
        precondition(
            offset >= 0 && rows >= 0 && columns >= 0 && stride >= columns
                && (rows == 0 || offset + (rows - 1) * stride + columns <= owner.capacity), "view outside its matrix")
        self.owner = owner
        self.offset = offset
        self.rows = rows
        self.columns = columns
        self.stride = stride
    }

    /// True when rows follow one another without a gap, so that kernels may take them as one run.
    var isContiguous: Bool { stride == columns || rows <= 1 }
    var count: Int { rows * columns }

    @unsafe var pointer: UnsafeMutablePointer<Float> { unsafe owner.pointer(offset) }

    func row(_ index: Int) -> MatrixView {
        precondition(index >= 0 && index < rows, "row outside the view")
        return MatrixView(owner, offset: offset + index * stride, rows: 1, columns: columns, stride: columns)
    }

    func view(rows range: Range<Int>) -> MatrixView {
        precondition(range.lowerBound >= 0 && range.upperBound <= rows, "rows outside the view")
        return MatrixView(
            owner, offset: offset + range.lowerBound * stride, rows: range.count, columns: columns, stride: stride)
    }

    func view(columns part: Range<Int>) -> MatrixView {
        precondition(part.lowerBound >= 0 && part.upperBound <= columns, "columns outside the view")
        return MatrixView(owner, offset: offset + part.lowerBound, rows: rows, columns: part.count, stride: stride)
    }

    /// The same run of elements with rows of another length.
    func reshaped(_ rows: Int, _ columns: Int) -> MatrixView {
        precondition(isContiguous && rows * columns == count, "only a gapless view can take another shape")
        return MatrixView(owner, offset: offset, rows: rows, columns: columns, stride: columns)
    }

    func copy(from other: MatrixView) {
        precondition(rows == other.rows && columns == other.columns, "shapes differ")
        for row in 0..<rows {
            unsafe (pointer + row * stride).update(from: other.pointer + row * other.stride, count: columns)
        }
    }

    var values: [Float] {
        (0..<rows).flatMap { row in
            unsafe Array(UnsafeBufferPointer(start: pointer + row * stride, count: columns))
        }
    }

    func fill(_ value: Float) {
        for row in 0..<rows { unsafe (pointer + row * stride).update(repeating: value, count: columns) }
    }
}

extension MatrixView {
    /// Calls `body` with the elements of a gapless view, for a decoder to fill.
    func withMutableSpan<Failure: Error>(
        _ body: (inout MutableSpan<Float>) throws(Failure) -> Void
    ) throws(Failure) {
        precondition(isContiguous, "only a gapless view is one run")
        var span = unsafe MutableSpan(_unsafeStart: pointer, count: count)
        try body(&span)
    }
}

extension MatrixView {
    /// Calls `body` with the bytes of a gapless view.
    func withBytes<Result, Failure: Error>(_ body: (RawSpan) throws(Failure) -> Result) throws(Failure) -> Result {
        precondition(isContiguous, "only a gapless view is one run")
        return try body(unsafe RawSpan(_unsafeStart: pointer, byteCount: 4 * count))
    }
}
