extension ImportanceMatrix {
    /// What norms tell of the inputs of the matrices behind them, for models whose activations nobody measured.
    ///
    /// A norm's output has mean square 1 before its gain, so column j of a matrix that reads it sees gain[j]² on
    /// average. Matrices that read anything else get no entry.
    ///
    /// - Parameter gain: the values of a norm by GGUF's name; none where the model has no such norm.
    public static func estimated(
        from subjects: [QuantizationSubject], gain: (_ norm: String) throws -> [Float]?
    ) rethrows -> ImportanceMatrix {
        var matrix = ImportanceMatrix()
        matrix.isEstimated = true
        func add(_ name: String, columns: Int, experts: Int, norm: String) throws {
            guard let gain = try gain(norm), gain.count == columns else { return }
            let squares = gain.map { $0 * $0 }
            guard squares.allSatisfy(\.isFinite) else { return }
            matrix.entries[name] = Entry(
                sums: Array(repeatElement(squares, count: experts).joined()),
                counts: Array(repeating: 1, count: experts))
        }
        for subject in subjects {
            guard let norm = norm(before: subject) else { continue }
            let experts = subject.shape.count > 2 ? subject.shape[0] : 1
            try add(subject.name, columns: subject.rowLength, experts: experts, norm: norm)
        }
        if let tied = subjects.first(where: { $0.kind == .embedding && $0.name == "token_embd.weight" }),
            !subjects.contains(where: { $0.kind == .output })
        {
            try add("output.weight", columns: tied.rowLength, experts: 1, norm: "output_norm.weight")
        }
        return matrix
    }

    private static func norm(before subject: QuantizationSubject) -> String? {
        if subject.kind == .output { return "output_norm.weight" }
        guard let block = subject.block else { return nil }
        switch subject.kind {
        case .query, .key, .queryKeyValue: return "blk.\(block).attn_norm.weight"
        // The second matrix of a compressed cache reads that cache.
        case .value: return subject.name.contains("attn_kv_b") ? nil : "blk.\(block).attn_norm.weight"
        case .gate, .up: return "blk.\(block).ffn_norm.weight"
        case .embedding, .output, .attentionOutput, .down, .other, .protected: return nil
        }
    }
}
