package import TensorFiles

extension GraphPass {
    /// Takes fused projections apart by their rows: query, key and value; gate and up. Quantized rows stay as they
    /// are, since a row's blocks are its own.
    public static let splitFused = GraphPass(name: "splitFused", preservesFunction: true) { graph in
        var graph = graph
        for (role, tensor) in graph.tensors {
            guard let parts = role.part.fusedParts else { continue }
            let lengths = parts.map { graph.configuration.rowCount(of: $0) }
            graph.tensors[role] = nil
            var first = 0
            for (part, length) in zip(parts, lengths) {
                guard let slice = tensor.slice(rows: first..<first + length) else {
                    throw ModelError.pass(
                        "splitFused", reason: "\(tensor.name) of shape \(tensor.shape) is too short")
                }
                graph.tensors[TensorRole(part, block: role.block)] = slice
                first += length
            }
        }
        return graph
    }

    /// Puts the projections together that `parts` names (`queryKeyValue`, `queryKeyValueBias`, `gateUp`), in every
    /// block that has them all in one type.
    public static func fuse(_ parts: Set<TensorRole.Part>) -> GraphPass {
        GraphPass(name: "fuse", preservesFunction: true) { graph in
            var graph = graph
            for fused in parts.sorted(by: { $0.rawValue < $1.rawValue }) {
                guard let pieces = fused.fusedParts else {
                    throw ModelError.pass("fuse", reason: "\(fused.rawValue) is not a fused projection")
                }
                for block in graph.configuration.layers.indices {
                    let roles = pieces.map { TensorRole($0, block: block) }
                    let tensors = roles.compactMap { graph.tensors[$0] }
                    guard tensors.count == roles.count else { continue }
                    guard let whole = Tensor.concatenating(tensors) else {
                        throw ModelError.pass(
                            "fuse", reason: "block \(block): \(pieces.map(\.rawValue)) differ in type or row length")
                    }
                    for role in roles { graph.tensors[role] = nil }
                    graph.tensors[TensorRole(fused, block: block)] = whole
                }
            }
            return graph
        }
    }
}

extension TensorRole.Part {
    /// What a fused projection holds, in the order of its rows.
    public var fusedParts: [TensorRole.Part]? {
        switch self {
        case .queryKeyValue: [.query, .key, .value]
        case .queryKeyValueBias: [.queryBias, .keyBias, .valueBias]
        case .gateUp: [.gate, .up]
        default: nil
        }
    }
}

extension ModelConfiguration {
    /// Output rows of a projection, or entries of its bias.
    func rowCount(of part: TensorRole.Part) -> Int {
        switch part {
        case .query, .queryBias: headCount * headSize
        case .key, .value, .keyBias, .valueBias: keyValueHeadCount * headSize
        case .gate, .up: feedForwardSize
        default: hiddenSize
        }
    }
}

extension Tensor {
    /// Some of the rows of a matrix, or of the elements of a vector.
    package func slice(rows: Range<Int>) -> Tensor? {
        guard let count = shape.first, rows.lowerBound >= 0, rows.upperBound <= count else { return nil }
        if shape.count > 1 {
            let inner = shape.dropFirst().dropLast().reduce(1, *)
            return Tensor(
                name: name, shape: [rows.count] + shape.dropFirst(), type: type,
                source: RowSlice(base: self, firstRow: rows.lowerBound * inner))
        }
        guard let first = type.byteCount(elements: rows.lowerBound), let length = type.byteCount(elements: rows.count)
        else { return nil }
        return Tensor(
            name: name, shape: [rows.count], type: type,
            source: VectorSlice(base: self, bytes: first..<first + length))
    }

    /// Rows of one after rows of the other; vectors end to end. `nil` when types or row lengths differ.
    package static func concatenating(_ parts: [Tensor]) -> Tensor? {
        guard let first = parts.first,
            parts.allSatisfy({ $0.type == first.type && $0.shape.dropFirst() == first.shape.dropFirst() })
        else { return nil }
        let count = parts.reduce(0) { $0 + ($1.shape.first ?? 0) }
        let source: any TensorSource =
            first.shape.count > 1 ? RowConcatenation(parts: parts) : VectorConcatenation(parts: parts)
        return Tensor(name: first.name, shape: [count] + first.shape.dropFirst(), type: first.type, source: source)
    }
}

/// Vectors end to end.
struct VectorConcatenation: TensorSource {
    let parts: [Tensor]

    func withBytes<Result>(
        rows: Range<Int>, rowByteCount: Int, _ body: (RawSpan) throws -> Result
    ) throws -> Result {
        var bytes: [UInt8] = []
        if !rows.isEmpty {
            for part in parts {
                try part.withBytes(rows: 0..<part.rowCount) { bytes.append(contentsOf: $0.copied()) }
            }
        }
        return try unsafe body(bytes.span.bytes)
    }
}
