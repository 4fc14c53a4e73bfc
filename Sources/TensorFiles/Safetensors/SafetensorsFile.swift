/// One safetensors file, opened and checked: formats/safetensors.md.
public struct SafetensorsFile: Sendable {
    public static let headerLimit = 100_000_000

    public let file: MappedFile
    /// Sorted by where their bytes are in the file; each one's source is a `MappedSource`.
    public let tensors: [Tensor]
    /// `__metadata__`, in the order of the file.
    public let metadata: [(key: String, value: String)]
    /// Bytes of the length field and the header: where data starts.
    public let dataStart: Int

    /// Reads the header; throws the first rule that is broken.
    public init(_ file: MappedFile) throws(TensorFileError) {
        var problems = ProblemList()
        let opened = Self.read(file, &problems)
        if let failure = problems.failure { throw failure }
        guard let opened else { throw .notAModel(path: file.path, reason: "this is not a safetensors file") }
        self = opened
    }

    public init(path: String) throws(TensorFileError) { try self.init(MappedFile(path: path)) }

    init(file: MappedFile, tensors: [Tensor], metadata: [(key: String, value: String)], dataStart: Int) {
        self.file = file
        self.tensors = tensors
        self.metadata = metadata
        self.dataStart = dataStart
    }

    /// Reads as far as possible, adding every broken rule to `problems`; `nil` when there is no header to read.
    /// Tensors that break a rule, or whose bytes are not in the file, are left out.
    package static func read(_ file: MappedFile, _ problems: inout ProblemList) -> SafetensorsFile? {
        guard let header = headerRange(file, &problems) else { return nil }
        let document: JSONDocument
        do {
            document = try JSONDocument(file, range: header)
        } catch {
            if case .invalidJSON(_, let offset, let reason) = error {
                let rule: Rule = reason.hasSuffix("occurs twice") ? .duplicateName : .headerIsJSON
                problems.add(Problem(rule, file: file.path, offset: offset, "the header is not valid: \(reason)"))
            }
            return nil
        }
        guard document.root.kind == .object else {
            problems.add(Problem(.headerIsJSON, file: file.path, offset: 8, "the header is not a JSON object"))
            return nil
        }
        var entries: [SafetensorsEntry] = []
        var metadata: [(key: String, value: String)] = []
        for member in document.root.members {
            if member.hasKey("__metadata__") {
                metadata = readMetadata(member.value, file, &problems)
            } else if let entry = SafetensorsEntry(parsing: member, file: file, &problems) {
                entries.append(entry)
            }
        }
        entries.sort { ($0.begin, $0.end) < ($1.begin, $1.end) }
        checkLayout(entries, file: file, dataStart: header.upperBound, &problems)
        let tensors = entries.compactMap { entry -> Tensor? in
            let (end, overflow) = header.upperBound.addingReportingOverflow(entry.end)
            guard !overflow, end <= file.byteCount else { return nil }
            let source = MappedSource(file: file, range: header.upperBound + entry.begin..<end)
            return Tensor(name: entry.name, shape: entry.shape, type: entry.type, source: source)
        }
        return SafetensorsFile(file: file, tensors: tensors, metadata: metadata, dataStart: header.upperBound)
    }

    /// Rules ST-01 to ST-04.
    private static func headerRange(_ file: MappedFile, _ problems: inout ProblemList) -> Range<Int>? {
        guard file.byteCount >= 8 else {
            problems.add(
                Problem(
                    .headerLengthMissing, file: file.path, offset: 0,
                    "a safetensors file starts with an 8-byte length, this one has \(file.byteCount) bytes"))
            return nil
        }
        let length = file.withBytes { $0.loadLittleEndian(0, as: UInt64.self) }
        guard length <= UInt64(headerLimit) else {
            problems.add(
                Problem(
                    .headerTooLarge, file: file.path, offset: 0,
                    "the header is said to have \(length) bytes, the limit is \(headerLimit); "
                        + "this is not a safetensors file, or its start is damaged"))
            return nil
        }
        let end = 8 + Int(length)
        guard end <= file.byteCount else {
            problems.add(
                Problem(
                    .headerCutShort, file: file.path, offset: file.byteCount,
                    "the header ends at byte \(end), the file at \(file.byteCount): "
                        + "\(end - file.byteCount) bytes of the header are missing; fetch the file again"))
            return nil
        }
        let first = length > 0 ? file.withBytes { $0.loadLittleEndian(8, as: UInt8.self) } : nil
        if let first, first == 0x20 || first == 0x09 || first == 0x0A || first == 0x0D {
            problems.add(
                Problem(
                    .headerStartsWithBrace, file: file.path, offset: 8,
                    "the header must start with '{', not with space"))
        }
        return 8..<end
    }

    /// Rule ST-07.
    private static func readMetadata(
        _ node: JSONNode, _ file: MappedFile, _ problems: inout ProblemList
    ) -> [(key: String, value: String)] {
        if node.isNull { return [] }
        guard node.kind == .object else {
            problems.add(
                Problem(
                    .metadataIsStrings, file: file.path, tensor: "__metadata__", offset: node.byteOffset,
                    "must be an object of strings"))
            return []
        }
        var metadata: [(key: String, value: String)] = []
        for member in node.members {
            guard let value = member.value.string else {
                problems.add(
                    Problem(
                        .metadataIsStrings, file: file.path, tensor: "__metadata__", offset: member.value.byteOffset,
                        "the value of \(member.key.quotedForMessages) must be a string"))
                continue
            }
            metadata.append((member.key, value))
        }
        return metadata
    }

    /// Rules ST-15 to ST-18: the tensors' bytes fill the rest of the file, each byte once.
    private static func checkLayout(
        _ entries: [SafetensorsEntry], file: MappedFile, dataStart: Int, _ problems: inout ProblemList
    ) {
        var end = 0
        var previous: String?
        for entry in entries {
            if entry.begin > end {
                let neighbour = previous.map { "\($0.quotedForMessages) ends" } ?? "data starts"
                problems.add(
                    Problem(
                        .hole, file: file.path, tensor: entry.name, offset: entry.headerOffset,
                        "\(entry.begin - end) bytes belong to no tensor: \(neighbour) at \(end), "
                            + "this tensor begins at \(entry.begin)"))
            } else if entry.begin < end {
                problems.add(
                    Problem(
                        .overlap, file: file.path, tensor: entry.name, offset: entry.headerOffset,
                        "begins at \(entry.begin), inside \((previous ?? "").quotedForMessages), which ends at \(end)"
                    ))
            }
            if entry.end >= end {
                end = entry.end
                previous = entry.name
            }
        }
        let held = file.byteCount - dataStart
        if end > held {
            let missing = end - held
            problems.add(
                Problem(
                    .dataCutShort, file: file.path, tensor: previous, offset: file.byteCount,
                    "the file is cut short: the tensors need \(end) bytes after the header, \(held) are there, "
                        + "\(missing) are missing; fetch the file again"))
        } else if end < held {
            problems.add(
                Problem(
                    .trailingBytes, file: file.path, offset: dataStart + end,
                    "\(held - end) bytes follow the last tensor; a safetensors file must end with it"))
        }
    }
}
