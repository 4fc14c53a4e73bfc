extension OutputPlan {
    /// Metadata keys that name the digests' algorithm and hold 16 bytes for each tensor, in the order of the file.
    public static let ggufDigestAlgorithmKey = "foretoken.digest.algorithm"
    public static let ggufDigestKey = "foretoken.digest.tensors"

    /// A plan for one GGUF file, or with `maximumShardSize` (bytes of tensors) for the files of a split.
    ///
    /// Tensors and keys keep the given order. Without digests, the bytes are those of gguf-py's writer for the same
    /// keys, types and tensors; it is what llama.cpp loads.
    public static func gguf(
        _ tensors: [TensorDeclaration], metadata: GGUFMetadata, name: String = "model.gguf",
        maximumShardSize: Int? = nil, digests: Bool = true
    ) throws(TensorFileError) -> OutputPlan {
        try refuseTwins(tensors)
        for tensor in tensors { try checkGGUF(tensor) }
        let alignment = metadata.alignment
        if let value = metadata["general.alignment"] {
            guard case .uint32(let number) = value, number > 0, number & (number - 1) == 0 else {
                throw .cannotRepresent(name: "general.alignment", reason: "must be a power of two stored as a u32")
            }
        }
        var metadata = metadata
        for key in [ggufDigestAlgorithmKey, ggufDigestKey, "split.no", "split.count", "split.tensors.count"] {
            metadata[key] = nil
        }
        if metadata.keys.contains("") { throw .cannotRepresent(name: "", reason: "a key cannot be empty") }
        let groups = groups(tensors, limit: maximumShardSize)
        guard groups.count <= 65_535 else {
            throw .cannotRepresent(name: name, reason: "\(groups.count) parts cannot be; allow larger ones")
        }
        let names = names(name, count: groups.count)
        var files: [File] = []
        for (number, group) in groups.enumerated() {
            var keys = number == 0 ? metadata : GGUFMetadata()
            if groups.count > 1 {
                if number > 0, let alignment = metadata["general.alignment"] { keys["general.alignment"] = alignment }
                keys["split.no"] = .uint16(UInt16(number))
                keys["split.count"] = .uint16(UInt16(groups.count))
                keys["split.tensors.count"] = .int32(Int32(clamping: tensors.count))
            }
            files.append(
                try ggufFile(
                    group, of: tensors, metadata: keys, alignment: alignment, name: names[number], digests: digests))
        }
        return OutputPlan(name: name, files: files)
    }

    private static func checkGGUF(_ tensor: TensorDeclaration) throws(TensorFileError) {
        guard tensor.type.ggmlIdentifier != nil else {
            throw .cannotRepresent(
                name: tensor.name,
                reason: "GGUF files cannot hold \(tensor.type.rawValue); convert it, for example to F32")
        }
        guard tensor.shape.count <= GGUFTensorInfo.dimensionLimit else {
            throw .cannotRepresent(name: tensor.name, reason: "has \(tensor.shape.count) dimensions, GGUF allows 4")
        }
        guard tensor.name.utf8.count <= GGUFTensorInfo.nameLimit else {
            throw .cannotRepresent(name: tensor.name, reason: "the name has more than the 63 bytes that GGUF allows")
        }
    }

    private static func ggufFile(
        _ group: [Int], of tensors: [TensorDeclaration], metadata: GGUFMetadata, alignment: Int, name: String,
        digests: Bool
    ) throws(TensorFileError) -> File {
        var header: [UInt8] = Array("GGUF".utf8)
        header.appendLittleEndian(UInt32(3))
        header.appendLittleEndian(UInt64(group.count))
        header.appendLittleEndian(UInt64(metadata.entries.count + (digests ? 2 : 0)))
        for entry in metadata.entries { header.append(key: entry.key, value: entry.value) }
        var slot: DigestSlot?
        if digests {
            header.append(key: ggufDigestAlgorithmKey, value: .string(TensorDigest.algorithm))
            let blank = [UInt8](repeating: 0, count: TensorDigest.byteCount * group.count)
            header.append(key: ggufDigestKey, value: .array(GGUFArray(blank)))
            slot = DigestSlot(offset: header.count - blank.count, encoding: .bytes)
        }
        var offsets: [Int] = []
        var offset = 0
        for index in group {
            let tensor = tensors[index]
            header.append(ggufString: tensor.name)
            header.appendLittleEndian(UInt32(tensor.shape.count))
            for dimension in tensor.shape.reversed() { header.appendLittleEndian(UInt64(dimension)) }
            header.appendLittleEndian(tensor.type.ggmlIdentifier ?? 0)
            header.appendLittleEndian(UInt64(offset))
            offsets.append(offset)
            let (end, overflow) = offset.addingReportingOverflow(tensor.byteCount)
            guard !overflow, let padded = GGUFCursor.padded(end, to: alignment) else {
                throw .cannotRepresent(name: tensor.name, reason: "the file would be too large")
            }
            offset = padded
        }
        let dataStart = GGUFCursor.padded(header.count, to: alignment) ?? header.count
        header.append(contentsOf: repeatElement(0, count: dataStart - header.count))
        let placed = zip(group, offsets).map { index, offset in
            PlacedTensor(declaration: tensors[index], index: index, offset: dataStart + offset)
        }
        return File(name: name, header: header, tensors: placed, byteCount: dataStart + offset, digestSlot: slot)
    }
}

extension [UInt8] {
    fileprivate mutating func append(ggufString text: String) {
        appendLittleEndian(UInt64(text.utf8.count))
        append(contentsOf: text.utf8)
    }

    fileprivate mutating func append(key: String, value: GGUFValue) {
        append(ggufString: key)
        appendLittleEndian(value.kind.rawValue)
        switch value {
        case .uint8(let number): append(number)
        case .int8(let number): append(UInt8(bitPattern: number))
        case .uint16(let number): appendLittleEndian(number)
        case .int16(let number): appendLittleEndian(number)
        case .uint32(let number): appendLittleEndian(number)
        case .int32(let number): appendLittleEndian(number)
        case .uint64(let number): appendLittleEndian(number)
        case .int64(let number): appendLittleEndian(number)
        case .float32(let number): appendLittleEndian(number.bitPattern)
        case .float64(let number): appendLittleEndian(number.bitPattern)
        case .bool(let flag): append(flag ? 1 : 0)
        case .string(let text): append(ggufString: text)
        case .array(let array):
            appendLittleEndian(array.elementKind.rawValue)
            appendLittleEndian(UInt64(array.count))
            array.withEncodedBytes { bytes in append(contentsOf: bytes.copied()) }
        }
    }
}
