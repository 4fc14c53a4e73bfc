/// Where the tensors' bytes are: rules GG-17 and GG-21 to GG-23.
struct GGUFDataLayout {
    let dataStart: Int
    let tensors: [Tensor]

    init(
        _ infos: [GGUFTensorInfo], headerEnd: Int, alignment: Int, file: MappedFile, _ problems: inout ProblemList
    ) {
        let start = GGUFCursor.padded(headerEnd, to: alignment) ?? Int.max
        dataStart = start
        var names: Set<String> = []
        var tensors: [Tensor] = []
        tensors.reserveCapacity(infos.count)
        /// Where the next tensor must begin; `nil` after one whose size is unknown.
        var expected: Int? = 0
        /// The furthest end of a tensor's bytes, without padding, in the file; and whose.
        var last: (end: Int, name: String)?
        for info in infos {
            func problem(_ rule: Rule, _ message: String) -> Problem {
                Problem(rule, file: file.path, tensor: info.name, offset: info.headerOffset, message)
            }
            if !names.insert(info.name).inserted {
                problems.add(problem(.ggufTensorTwice, "the name occurs twice"))
            }
            if let expected, info.offset != UInt64(expected) {
                problems.add(
                    problem(
                        .ggufOffset,
                        "the offset is \(info.offset), it must be \(expected): tensors follow each other, "
                            + "each padded to \(alignment) bytes"))
            }
            guard let type = info.type, let size = info.byteCount, info.offset <= UInt64(Int.max) else {
                expected = nil
                continue
            }
            let begin = start.addingReportingOverflow(Int(info.offset))
            let end = begin.partialValue.addingReportingOverflow(size)
            guard !begin.overflow, !end.overflow,
                let padded = GGUFCursor.padded(Int(info.offset) &+ size, to: alignment)
            else {
                problems.add(problem(.ggufTensorSize, "the sizes of the tensors add up to more than 2^63 bytes"))
                expected = nil
                continue
            }
            expected = padded
            if end.partialValue > last?.end ?? 0 { last = (end.partialValue, info.name) }
            guard end.partialValue <= file.byteCount else { continue }
            let source = MappedSource(
                file: file, range: size == 0 ? 0..<0 : begin.partialValue..<end.partialValue)
            if let tensor = Tensor(name: info.name, shape: info.shape, type: type, source: source) {
                tensors.append(tensor)
            }
        }
        self.tensors = tensors
        Self.checkEnd(last, expected.map { start &+ $0 }, file, &problems)
    }

    private static func checkEnd(
        _ last: (end: Int, name: String)?, _ paddedEnd: Int?, _ file: MappedFile, _ problems: inout ProblemList
    ) {
        if let last, last.end > file.byteCount {
            problems.add(
                Problem(
                    .ggufDataCutShort, file: file.path, tensor: last.name, offset: file.byteCount,
                    "the file is cut short: the tensors end at byte \(last.end), the file at \(file.byteCount), "
                        + "\(last.end - file.byteCount) bytes are missing; fetch the file again"))
        } else if last != nil, let paddedEnd, file.byteCount > paddedEnd {
            problems.add(
                Problem(
                    .ggufTrailingBytes, file: file.path, offset: paddedEnd,
                    "\(file.byteCount - paddedEnd) bytes follow the last tensor"))
        }
    }
}
