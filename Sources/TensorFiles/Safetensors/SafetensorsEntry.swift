/// What a safetensors header says of one tensor.
struct SafetensorsEntry {
    let name: String
    let type: ElementType
    let shape: [Int]
    /// Offsets from the end of the header.
    let begin: Int
    let end: Int
    /// Where the entry is in the file, for messages.
    let headerOffset: Int

    /// Rules ST-08 to ST-14 and ST-19; `nil` when one of severity `error` is broken.
    init?(parsing member: JSONNode.Member, file: MappedFile, _ problems: inout ProblemList) {
        let name = member.key
        func problem(_ rule: Rule, _ node: JSONNode, _ message: String) -> Problem {
            Problem(rule, file: file.path, tensor: name, offset: node.byteOffset, message)
        }
        let node = member.value
        guard node.kind == .object else {
            problems.add(problem(.entryFields, node, "must be an object with dtype, shape and data_offsets"))
            return nil
        }
        var dtype: JSONNode?
        var dimensions: JSONNode?
        var offsets: JSONNode?
        for field in node.members {
            if field.hasKey("dtype") {
                dtype = field.value
            } else if field.hasKey("shape") {
                dimensions = field.value
            } else if field.hasKey("data_offsets") {
                offsets = field.value
            } else {
                problems.add(
                    problem(.unknownEntryField, node, "has a field \(field.key.quotedForMessages) that means nothing")
                )
            }
        }
        guard let dtype, let dimensions, let offsets else {
            let missing = [("dtype", dtype), ("shape", dimensions), ("data_offsets", offsets)]
                .filter { $0.1 == nil }.map(\.0).joined(separator: ", ")
            problems.add(problem(.entryFields, node, "lacks \(missing)"))
            return nil
        }
        guard let typeName = dtype.string else {
            problems.add(problem(.entryFields, dtype, "dtype must be a string"))
            return nil
        }
        guard let type = ElementType(rawValue: typeName), type.isSafetensors else {
            problems.add(
                problem(
                    .unknownDtype, dtype,
                    "has the unknown dtype \(typeName.quotedForMessages); known are those of safetensors 0.8"))
            return nil
        }
        var shape: [Int] = []
        for element in dimensions.elements {
            guard let dimension = element.int, dimension >= 0 else {
                problems.add(
                    problem(.invalidShape, element, "a dimension must be an integer from 0 to 2^63 - 1"))
                return nil
            }
            shape.append(dimension)
        }
        guard dimensions.kind == .array else {
            problems.add(problem(.invalidShape, dimensions, "shape must be an array"))
            return nil
        }
        let ends = offsets.elements.map(\.int)
        guard ends.count == 2, let begin = ends[0], let end = ends[1], begin >= 0, begin <= end else {
            problems.add(
                problem(
                    .invalidOffsets, offsets,
                    "data_offsets must be two integers, the first at least 0 and at most the second"))
            return nil
        }
        switch Self.byteCount(shape: shape, type: type) {
        case .overflow:
            problems.add(problem(.sizeOverflow, dimensions, "shape \(shape) is larger than any file can be"))
            return nil
        case .partialByte:
            problems.add(
                problem(.partialByte, dimensions, "\(typeName) elements of shape \(shape) end inside a byte"))
            return nil
        case .bytes(let count):
            guard count == end - begin else {
                problems.add(
                    problem(
                        .sizeMismatch, offsets,
                        "\(typeName) of shape \(shape) has \(count) bytes, data_offsets span \(end - begin)"))
                return nil
            }
        }
        self.name = name
        self.type = type
        self.shape = shape
        self.begin = begin
        self.end = end
        headerOffset = node.byteOffset
    }

    enum Size {
        case bytes(Int)
        case overflow, partialByte
    }

    static func byteCount(shape: [Int], type: ElementType) -> Size {
        var elements = 1
        for dimension in shape {
            let (product, overflow) = elements.multipliedReportingOverflow(by: dimension)
            guard !overflow else { return .overflow }
            elements = product
        }
        let (bits, overflow) = elements.multipliedReportingOverflow(by: 8 * type.block.bytes / type.block.elements)
        guard !overflow else { return .overflow }
        return bits % 8 == 0 ? .bytes(bits / 8) : .partialByte
    }
}
