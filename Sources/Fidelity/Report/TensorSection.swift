/// Every weight: its type, what it costs and how far it is from the reference's.
struct TensorSection {
    let report: FidelityReport

    func html() -> String {
        let tables = report.candidates.filter { !$0.tensors.isEmpty }.map(table)
        return tables.isEmpty ? "" : element("h2", [:], "Tensors") + tables.joined()
    }

    private func table(_ candidate: CandidateResult) -> String {
        let rows: [[ReportTable.Cell]] = candidate.tensors.map { tensor in
            [
                .text(tensor.name), .text(tensor.referenceType), .text(tensor.type),
                .number(Markup.bytes(tensor.bytes), Double(tensor.bytes)),
                .number(Markup.number(tensor.bitsPerWeight), tensor.bitsPerWeight),
                .number(Markup.number(tensor.relativeError), tensor.relativeError),
            ]
        }
        return ReportTable(
            headings: ["tensor", "was", "is", "bytes", "bits per weight", "relative error"], rows: rows,
            folded: "\(candidate.model.name): \(rows.count) tensors"
        ).html()
    }
}
