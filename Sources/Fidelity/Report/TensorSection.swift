/// Every weight: its type, what it costs and how far it is from the reference's.
struct TensorSection {
    let candidate: CandidateResult

    func html() -> String {
        guard !candidate.tensors.isEmpty else { return "" }
        let rows: [[ReportTable.Cell]] = candidate.tensors.map { tensor in
            [
                .text(tensor.name), .text(tensor.referenceType), .text(tensor.type),
                .number(Markup.bytes(tensor.bytes), Double(tensor.bytes)),
                .number(Markup.number(tensor.bitsPerWeight), tensor.bitsPerWeight),
                .number(Markup.number(tensor.relativeError), tensor.relativeError),
            ]
        }
        return element("h2", [:], "Tensors")
            + ReportTable(
                headings: ["tensor", "was", "is", "bytes", "bits per weight", "relative error"], rows: rows,
                folded: "\(rows.count) tensors"
            ).html()
    }
}
