/// What a GGUF header says of one tensor.
struct GGUFTensorInfo {
    static let nameLimit = 63
    static let dimensionLimit = 4

    let name: String
    /// Outermost dimension first, the reverse of the file's order.
    let shape: [Int]
    /// `nil` when the file names a type that does not exist.
    let type: ElementType?
    /// From the start of the data.
    let offset: UInt64
    /// Bytes; `nil` when a rule about size is broken.
    let byteCount: Int?
    /// Where the description is in the file.
    let headerOffset: Int

    /// Rules GG-15, GG-16 and GG-18 to GG-20.
    init(
        reading cursor: inout GGUFCursor, index: Int, _ problems: inout ProblemList
    ) throws(GGUFCursor.Failure) {
        let start = cursor.offset
        let nameRange = try cursor.readStringRange("the name of tensor \(index)")
        let (name, isText) = cursor.text(nameRange)
        let file = cursor.file.path
        func problem(_ rule: Rule, _ message: String) -> Problem {
            Problem(rule, file: file, tensor: name, offset: start, message)
        }
        if !isText { problems.add(problem(.ggufNotText, "the name is not UTF-8")) }
        if nameRange.count > Self.nameLimit {
            problems.add(problem(.ggufTensorName, "the name has \(nameRange.count) bytes, 63 are allowed"))
        }
        let dimensionCount = try cursor.read("the dimensions of \(name.quotedForMessages)", as: UInt32.self)
        guard dimensionCount <= UInt32(Self.dimensionLimit) else {
            throw .init(
                rule: .ggufDimensions, offset: cursor.offset - 4,
                message: "\(name.quotedForMessages) has \(dimensionCount) dimensions, at most 4 are allowed")
        }
        var innermostFirst: [UInt64] = []
        for _ in 0..<dimensionCount {
            innermostFirst.append(try cursor.read("the dimensions of \(name.quotedForMessages)", as: UInt64.self))
        }
        let number = try cursor.read("the type of \(name.quotedForMessages)", as: UInt32.self)
        offset = try cursor.read("the offset of \(name.quotedForMessages)", as: UInt64.self)
        type = ElementType(ggmlIdentifier: number)
        shape = innermostFirst.reversed().map { Int(truncatingIfNeeded: $0) }
        headerOffset = start
        self.name = name

        var size: Int?
        if let type {
            let block = type.block
            if innermostFirst.contains(where: { $0 > UInt64(Int.max) }) {
                problems.add(problem(.ggufTensorSize, "a dimension of \(innermostFirst) is negative"))
            } else if (shape.last ?? 1) % block.elements != 0 {
                problems.add(
                    problem(
                        .ggufPartialBlock,
                        "rows of \(shape.last ?? 1) elements are not whole blocks of \(block.elements) (\(type.rawValue))"
                    ))
            } else {
                size = Self.byteCount(shape, type)
                if size == nil {
                    problems.add(problem(.ggufTensorSize, "shape \(shape) is larger than any file can be"))
                }
            }
        } else {
            problems.add(
                problem(
                    .ggufTensorType,
                    "type \(number) is unknown or was removed from ggml; make the file again with a current program"))
        }
        byteCount = size
    }

    private static func byteCount(_ shape: [Int], _ type: ElementType) -> Int? {
        var elements = 1
        for dimension in shape {
            let (product, overflow) = elements.multipliedReportingOverflow(by: dimension)
            guard !overflow else { return nil }
            elements = product
        }
        return type.byteCount(elements: elements)
    }
}
