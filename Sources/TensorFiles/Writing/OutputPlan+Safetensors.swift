extension OutputPlan {
    /// The key of `__metadata__` whose value is the digests, 32 hexadecimal digits for each tensor, in data order.
    public static let safetensorsDigestKey = "foretoken.digests.xxh3-128"

    /// A plan for one safetensors file, or with `maximumShardSize` (bytes of tensors) for shards and their index.
    ///
    /// Without digests, the bytes are those of the reference writer (safetensors 0.8) for the same content; it
    /// writes metadata in a random order, this keeps the given one. Tensors are stored sorted by type, widest first,
    /// then by name, so that each is aligned; they are written in the order given, so that those made of one source
    /// can follow each other.
    public static func safetensors(
        _ tensors: [TensorDeclaration], metadata: [(key: String, value: String)] = [],
        name: String = "model.safetensors", maximumShardSize: Int? = nil, digests: Bool = true
    ) throws(TensorFileError) -> OutputPlan {
        try refuseTwins(tensors)
        for tensor in tensors where !tensor.type.isSafetensors {
            throw .cannotRepresent(
                name: tensor.name, reason: "safetensors files cannot hold \(tensor.type.rawValue); write GGUF instead"
            )
        }
        if tensors.contains(where: { $0.name == "__metadata__" }) {
            throw .cannotRepresent(name: "__metadata__", reason: "safetensors files use this name for other things")
        }
        let metadata = metadata.filter { $0.key != safetensorsDigestKey }
        let groups = groups(tensors, limit: maximumShardSize)
        let names = names(name, count: groups.count)
        var files: [File] = []
        for (group, fileName) in zip(groups, names) {
            files.append(
                try safetensorsFile(group, of: tensors, metadata: metadata, name: fileName, digests: digests))
        }
        guard files.count > 1 else { return OutputPlan(name: name, files: files) }
        let index = (name: name + ".index.json", bytes: safetensorsIndex(files))
        return OutputPlan(name: name, files: files, sideFiles: [index])
    }

    private static func safetensorsFile(
        _ group: [Int], of tensors: [TensorDeclaration], metadata: [(key: String, value: String)], name: String,
        digests: Bool
    ) throws(TensorFileError) -> File {
        let sorted = group.sorted { one, other in
            let (first, second) = (tensors[one].type.safetensorsRank, tensors[other].type.safetensorsRank)
            return first != second
                ? first > second
                : tensors[one].name.utf8.lexicographicallyPrecedes(tensors[other].name.utf8)
        }
        var header: [UInt8] = Array(repeating: 0, count: 8)
        header.append(UInt8(ascii: "{"))
        var slot: DigestSlot?
        if !metadata.isEmpty || digests {
            header.append(contentsOf: #""__metadata__":{"#.utf8)
            for (number, (key, value)) in metadata.enumerated() {
                if number > 0 { header.append(UInt8(ascii: ",")) }
                JSONEscape.quote(key, into: &header)
                header.append(UInt8(ascii: ":"))
                JSONEscape.quote(value, into: &header)
            }
            if digests {
                header.append(contentsOf: "\(metadata.isEmpty ? "" : ",")\"\(safetensorsDigestKey)\":\"".utf8)
                slot = DigestSlot(offset: header.count, encoding: .hexadecimal)
                header.append(contentsOf: repeatElement(UInt8(ascii: "0"), count: 32 * sorted.count))
                header.append(UInt8(ascii: "\""))
            }
            header.append(contentsOf: (sorted.isEmpty ? "}" : "},").utf8)
        }
        var offsets: [Int] = []
        var end = 0
        for (number, index) in sorted.enumerated() {
            let tensor = tensors[index]
            let (sum, overflow) = end.addingReportingOverflow(tensor.byteCount)
            guard !overflow else { throw .cannotRepresent(name: tensor.name, reason: "the file would be too large") }
            if number > 0 { header.append(UInt8(ascii: ",")) }
            JSONEscape.quote(tensor.name, into: &header)
            let shape = tensor.shape.map { String($0) }.joined(separator: ",")
            header.append(
                contentsOf:
                    #":{"dtype":"\#(tensor.type.rawValue)","shape":[\#(shape)],"data_offsets":[\#(end),\#(sum)]}"#
                    .utf8)
            offsets.append(end)
            end = sum
        }
        header.append(UInt8(ascii: "}"))
        while header.count % 8 != 0 { header.append(UInt8(ascii: " ")) }
        let length = header.count - 8
        guard length <= SafetensorsFile.headerLimit else {
            throw .cannotRepresent(
                name: name, reason: "the header would have \(length) bytes, the format allows 100000000; use shards")
        }
        for byte in 0..<8 { header[byte] = UInt8(truncatingIfNeeded: length >> (8 * byte)) }
        let dataStart = header.count
        let placed = zip(sorted, offsets).map { index, offset in
            PlacedTensor(declaration: tensors[index], index: index, offset: dataStart + offset)
        }.sorted { $0.index < $1.index }
        return File(name: name, header: header, tensors: placed, byteCount: dataStart + end, digestSlot: slot)
    }

    /// As the Hub's own tools write it: two spaces of indent, keys sorted, a line break at the end.
    private static func safetensorsIndex(_ files: [File]) -> [UInt8] {
        var map: [(tensor: String, file: String)] = []
        var total = 0
        for file in files {
            for tensor in file.tensors {
                map.append((tensor.declaration.name, file.name))
                total += tensor.declaration.byteCount
            }
        }
        map.sort { one, other in
            one.tensor.unicodeScalars.lexicographicallyPrecedes(other.tensor.unicodeScalars)
        }
        var text: [UInt8] = Array(
            "{\n  \"metadata\": {\n    \"total_size\": \(total)\n  },\n  \"weight_map\": {".utf8)
        for (number, entry) in map.enumerated() {
            text.append(contentsOf: (number == 0 ? "\n    " : ",\n    ").utf8)
            JSONEscape.quote(entry.tensor, into: &text)
            text.append(contentsOf: ": ".utf8)
            JSONEscape.quote(entry.file, into: &text)
        }
        text.append(contentsOf: "\n  }\n}\n".utf8)
        return text
    }
}

extension ElementType {
    /// Position in the reference implementation's list of types, by which its writer sorts.
    fileprivate var safetensorsRank: Int { Self.safetensorsOrder.firstIndex(of: self) ?? -1 }

    private static let safetensorsOrder: [ElementType] = [
        .bool, .f4, .f6E2M3, .f6E3M2, .u8, .i8, .f8E5M2, .f8E4M3, .f8E8M0, .f8E4M3FNUZ, .f8E5M2FNUZ, .i16, .u16, .f16,
        .bf16, .i32, .u32, .f32, .c64, .f64, .i64, .u64,
    ]
}
