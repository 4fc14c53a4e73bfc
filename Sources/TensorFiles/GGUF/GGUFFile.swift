/// One GGUF file, opened and checked: formats/gguf.md. A split model has several.
public struct GGUFFile: Sendable {
    public let file: MappedFile
    public let version: Int
    public let metadata: GGUFMetadata
    /// In the order of the file; each one's source is a `MappedSource`.
    public let tensors: [Tensor]
    /// Where tensor data starts.
    public let dataStart: Int

    /// Reads the header; throws the first rule that is broken.
    public init(_ file: MappedFile) throws(TensorFileError) {
        var problems = ProblemList()
        let opened = Self.read(file, &problems)
        if let failure = problems.failure { throw failure }
        guard let opened else { throw .notAModel(path: file.path, reason: "this is not a GGUF file") }
        self = opened
    }

    public init(path: String) throws(TensorFileError) { try self.init(MappedFile(path: path)) }

    private init(file: MappedFile, version: Int, metadata: GGUFMetadata, tensors: [Tensor], dataStart: Int) {
        self.file = file
        self.version = version
        self.metadata = metadata
        self.tensors = tensors
        self.dataStart = dataStart
    }

    /// Reads as far as possible, adding every broken rule to `problems`; `nil` when the header cannot be read to its
    /// end. Tensors that break a rule, or whose bytes are not in the file, are left out.
    package static func read(_ file: MappedFile, _ problems: inout ProblemList) -> GGUFFile? {
        var cursor = GGUFCursor(file: file)
        do {
            let start = try GGUFStart(reading: &cursor)
            let metadata = try readMetadata(count: start.keyCount, &cursor, &problems)
            let alignment = checkedAlignment(metadata, file, &problems)
            var infos: [GGUFTensorInfo] = []
            infos.reserveCapacity(start.tensorCount)
            for index in 0..<start.tensorCount {
                infos.append(try GGUFTensorInfo(reading: &cursor, index: index, &problems))
            }
            let layout = GGUFDataLayout(infos, headerEnd: cursor.offset, alignment: alignment, file: file, &problems)
            return GGUFFile(
                file: file, version: start.version, metadata: metadata, tensors: layout.tensors,
                dataStart: layout.dataStart)
        } catch {
            problems.add(Problem(error.rule, file: file.path, offset: error.offset, error.message))
            return nil
        }
    }

    private static func readMetadata(
        count: Int, _ cursor: inout GGUFCursor, _ problems: inout ProblemList
    ) throws(GGUFCursor.Failure) -> GGUFMetadata {
        var metadata = GGUFMetadata()
        for index in 0..<count {
            let start = cursor.offset
            let (key, isText) = cursor.text(try cursor.readStringRange("key \(index)"))
            func problem(_ rule: Rule, _ message: String) -> Problem {
                Problem(rule, file: cursor.file.path, tensor: key, offset: start, message)
            }
            if key.isEmpty { problems.add(problem(.ggufKeyEmpty, "key \(index) is empty")) }
            if !isText { problems.add(problem(.ggufNotText, "key \(index) is not UTF-8")) }
            let number = try cursor.read("the type of \(key.quotedForMessages)", as: UInt32.self)
            guard let kind = GGUFValue.Kind(rawValue: number) else {
                throw .init(
                    rule: .ggufValueType, offset: cursor.offset - 4,
                    message: "the value of \(key.quotedForMessages) has the unknown type \(number)")
            }
            let valueOffset = cursor.offset
            let value = try cursor.readValue(kind, key: key)
            check(value, file: cursor.file, valueOffset: valueOffset).map {
                problems.add(problem($0.rule, $0.message))
            }
            if metadata[key] != nil {
                problems.add(problem(.ggufKeyTwice, "the key occurs twice"))
            } else {
                metadata[key] = value
            }
        }
        return metadata
    }

    /// Rules GG-12 and GG-14 for single values.
    private static func check(
        _ value: GGUFValue, file: MappedFile, valueOffset: Int
    ) -> (rule: Rule, message: String)? {
        switch value {
        case .bool:
            let byte = file.withBytes { $0.loadLittleEndian(valueOffset, as: UInt8.self) }
            return byte > 1 ? (.ggufBool, "a truth value is stored as \(byte) instead of 1") : nil
        case .string(let text):
            guard text.unicodeScalars.contains("\u{FFFD}") else { return nil }
            let isText = file.withBytes(valueOffset + 8..<file.byteCount) { bytes in
                let length = file.withBytes { Int($0.loadLittleEndian(valueOffset, as: UInt64.self)) }
                return bytes.extracting(0..<length).text != nil
            }
            return isText ? nil : (.ggufNotText, "the value is not UTF-8")
        default: return nil
        }
    }

    /// Rule GG-13; the default when it is broken.
    private static func checkedAlignment(
        _ metadata: GGUFMetadata, _ file: MappedFile, _ problems: inout ProblemList
    ) -> Int {
        guard let value = metadata["general.alignment"] else { return GGUFMetadata.defaultAlignment }
        if case .uint32(let alignment) = value, alignment > 0, alignment & (alignment - 1) == 0 {
            return Int(alignment)
        }
        problems.add(
            Problem(
                .ggufAlignment, file: file.path, tensor: "general.alignment",
                "must be a power of two stored as a u32, found \(value.int.map { "\($0)" } ?? "a value") (\(value.kind))"
            ))
        return GGUFMetadata.defaultAlignment
    }
}
