import TensorFiles

extension TokenizerJSON {
    func model(byteLevel: Bool, limit: Int) throws(TokenizerError) -> TokenModel {
        let node = try root.required("model")
        let known = ["BPE", "Unigram"]
        // Old files do not name the type of a BPE model.
        let type = try node["type"]?.string() ?? (node["merges"] != nil ? "BPE" : "")
        switch type {
        case "BPE": return .bytePair(try bytePairModel(node, byteLevel: byteLevel))
        case "Unigram": return .unigram(try unigramModel(node))
        default: throw node.unsupported(type, known: known)
        }
    }

    private func bytePairModel(_ node: CheckedNode, byteLevel: Bool) throws(TokenizerError) -> BytePairModel {
        var model = BytePairModel(
            table: ByteTable(), merges: MergeTable(capacity: 0), byteLevel: byteLevel,
            byteIds: [Int32](repeating: -1, count: 256))
        model.byteFallback = try node.bool("byte_fallback", default: false)
        model.fuseUnknown = try node.bool("fuse_unk", default: false)
        model.ignoreMerges = try node.bool("ignore_merges", default: false)
        model.continuingPrefix = try node["continuing_subword_prefix"]?.bytes() ?? []
        model.endSuffix = try node["end_of_word_suffix"]?.bytes() ?? []
        if let dropout = try node["dropout"]?.double(), dropout != 0 {
            throw node.unsupported("dropout \(dropout)", known: ["no dropout"])
        }
        try readVocabulary(node.required("vocab"), into: &model)
        for byte in 0..<256 {
            if byteLevel {
                model.byteIds[byte] = Int32(truncatingIfNeeded: model.table.find([UInt8(byte)]))
            } else {
                let digits = String(byte, radix: 16, uppercase: true)
                let text = "<0x" + (byte < 16 ? "0" : "") + digits + ">"
                model.byteIds[byte] = Int32(truncatingIfNeeded: model.table.find(Array(text.utf8)))
            }
        }
        if let unknown = try node["unk_token"]?.string() {
            let bytes = Array(unknown.utf8)
            let form = byteLevel ? ByteAlphabet.decode(bytes) ?? [] : bytes
            let id = model.table.find(form)
            model.unknownId = id >= 0 ? Int32(id) : model.literals[unknown].map { Int32($0) }
        }
        try readMerges(node.required("merges"), into: &model)
        return model
    }

    /// Tokens in order of their ids. Files have them in that order; others take a detour.
    private func readVocabulary(_ node: CheckedNode, into model: inout BytePairModel) throws(TokenizerError) {
        guard node.node.kind == .object else { throw node.failure("an object") }
        var entries: [(id: Int, member: JSONNode.Member)] = []
        for member in node.node.members {
            guard let id = member.value.int else {
                throw .malformed(
                    file: file, key: "model.vocab.\(member.key)", expected: "an integer",
                    found: "\(member.value.kind)")
            }
            entries.append((id, member))
        }
        // Ids may have gaps, but no more than a file of this size can account for.
        let limit = entries.count * 4 + 65536
        for index in entries.indices where entries[index].id < 0 || entries[index].id >= limit {
            throw .idOutOfRange(
                file: file, token: entries[index].member.key, id: entries[index].id, limit: limit)
        }
        var sorted = true
        for index in entries.indices.dropFirst() where entries[index].id <= entries[index - 1].id {
            sorted = false
            break
        }
        if !sorted { entries.sort { $0.id < $1.id } }
        model.table = ByteTable(capacity: entries.count + 1, byteCapacity: entries.count * 8)
        var raw: [UInt8] = []
        var previous: JSONNode.Member?
        for (id, member) in entries {
            if id < model.table.count {
                throw .duplicateId(file: file, id: id, first: previous?.key ?? "", second: member.key)
            }
            while model.table.count < id { model.table.append([], findable: false) }
            let added = member.withKey { span in
                span.withUInt8 { (text: Span<UInt8>) in
                    guard model.byteLevel else { return model.table.append(text, 0..<text.count) != nil }
                    guard ByteAlphabet.decode(text, 0..<text.count, into: &raw) else {
                        let literal = span.repairedText
                        guard model.literals[literal] == nil else { return false }
                        model.literals[literal] = id
                        model.literalIds.insert(id)
                        return model.table.append(text, 0..<text.count, findable: false) != nil
                    }
                    return model.table.append(raw) != nil
                }
            }
            guard added else {
                throw .malformed(
                    file: file, key: "model.vocab", expected: "each token once", found: "\"\(member.key)\" twice")
            }
            previous = member
        }
    }

    private func readMerges(_ node: CheckedNode, into model: inout BytePairModel) throws(TokenizerError) {
        guard node.node.kind == .array else { throw node.failure("an array") }
        var count = 0
        for _ in node.node.elements { count += 1 }
        model.merges = MergeTable(capacity: count)
        var sides = MergeSides()
        var index = 0
        for element in node.node.elements {
            switch element.kind {
            case .string:
                guard element.withText({ sides.read(line: $0) }) else {
                    throw .ambiguousMerge(file: file, index: index, text: element.string ?? "")
                }
            case .array:
                var position = 0
                for side in element.elements {
                    guard side.kind == .string, position < 2 else {
                        position = 3
                        break
                    }
                    side.withText { sides.read($0, side: position) }
                    position += 1
                }
                guard position == 2 else { fallthrough }
            default:
                throw .malformed(
                    file: file, key: "model.merges[\(index)]", expected: "a string or a pair of strings",
                    found: "\(element.kind)")
            }
            try insert(sides, index, into: &model)
            index += 1
        }
    }

    private func insert(
        _ sides: borrowing MergeSides, _ index: Int, into model: inout BytePairModel
    ) throws(TokenizerError) {
        var left = sides.left
        var right = sides.right
        if model.byteLevel {
            left = sides.leftBytes
            right = sides.rightBytes
        }
        let joined =
            left
            + (right.starts(with: model.continuingPrefix)
                ? right.dropFirst(model.continuingPrefix.count) : right[...])
        let ids = (model.table.find(left), model.table.find(right), model.table.find(joined))
        guard ids.0 >= 0, ids.1 >= 0, ids.2 >= 0 else {
            let missing = ids.0 < 0 ? sides.left : ids.1 < 0 ? sides.right : sides.left + sides.right
            throw .mergeOutsideVocabulary(
                file: file, index: index, left: String(decoding: sides.left, as: UTF8.self),
                right: String(decoding: sides.right, as: UTF8.self), missing: String(decoding: missing, as: UTF8.self)
            )
        }
        model.merges.insert(Int32(ids.0), Int32(ids.1), rank: UInt32(index), id: Int32(ids.2))
    }

    private func unigramModel(_ node: CheckedNode) throws(TokenizerError) -> UnigramModel {
        let vocabulary = try node.required("vocab")
        guard vocabulary.node.kind == .array else { throw vocabulary.failure("an array") }
        var table = ByteTable()
        var scores: [Double] = []
        for entry in vocabulary.elements {
            let pair = try entry.array()
            guard pair.count == 2 else { throw entry.failure("a piece and its score") }
            guard table.append(try pair[0].bytes()) != nil else {
                throw .malformed(
                    file: file, key: entry.path, expected: "each piece once",
                    found: "\"\(try pair[0].string())\" again")
            }
            scores.append(try pair[1].double())
        }
        guard let unknown = try node["unk_id"]?.int(), scores.indices.contains(unknown) else {
            throw .malformed(
                file: file, key: "model.unk_id", expected: "the id of a piece",
                found: "\(node["unk_id"]?.node.rawText ?? "nothing")")
        }
        var byteIds = [Int32](repeating: -1, count: 256)
        for id in 0..<table.count {
            if let byte = TokenDecoder.byte(table.bytes(of: id)) { byteIds[Int(byte)] = Int32(id) }
        }
        return UnigramModel(
            table: table, scores: scores, usable: [Bool](repeating: true, count: scores.count), byteIds: byteIds,
            byteFallback: try node.bool("byte_fallback", default: false), unknownId: unknown, singlePrecision: false)
    }
}
