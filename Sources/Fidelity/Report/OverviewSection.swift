/// All models side by side: what each weighs, what it lost and how fast it is; and which to ship.
struct OverviewSection {
    let report: FidelityReport

    func html() -> String {
        let several = report.candidates.count > 1
        return element("h2", [:], several ? "Which to ship" : "At a glance")
            + (several ? recommendation() : "") + table() + (several ? charts() : "")
    }

    private func recommendation() -> String {
        let dominated = report.candidates.map(\.model.name).filter { !report.frontier.contains($0) }
        var text = ""
        if let name = report.recommended { text += "Under the limits given: \(name). " }
        if !dominated.isEmpty {
            text += "\(dominated.joined(separator: ", ")): another candidate is no larger and lost no more."
        }
        return text.isEmpty ? "" : element("p", [:], Markup.escape(text))
    }

    private func charts() -> String {
        func series(_ y: (CandidateResult) -> Double?) -> [Chart.Series] {
            report.candidates.compactMap { candidate in
                y(candidate).map { value in
                    Chart.Series(
                        name: candidate.model.name, style: .points,
                        points: [(x: Double(candidate.model.bytes) / 1_048_576, y: value)])
                }
            }
        }
        let loss = Chart(
            title: "Size against divergence", xTitle: "MiB", yTitle: "mean KL, nats",
            series: series { max($0.kl.mean, 1e-7) }, yScale: .logarithmic)
        var figures = [figure(loss, "Down and left is better.")]
        let speeds = series(\.model.tokensPerSecond)
        if !speeds.isEmpty {
            let speed = Chart(
                title: "Size against speed", xTitle: "MiB", yTitle: "tokens/s, plain decoding", series: speeds)
            figures.append(figure(speed, "Up and left is better."))
        }
        return grid(figures)
    }

    private func table() -> String {
        ReportTable(
            headings: [
                "model", "files", "bits/weight", "peak memory", "perplexity", "mean KL", "same choice", "tokens/s",
                "speedup",
            ],
            rows: [row(report.reference, nil)] + report.candidates.map { row($0.model, $0) }
        ).html()
    }

    private func row(_ model: ModelSummary, _ candidate: CandidateResult?) -> [ReportTable.Cell] {
        func cell(_ value: Double?, _ show: (Double) -> String) -> ReportTable.Cell {
            value.map { .number(show($0), $0) } ?? .text("–")
        }
        let drafting = candidate?.decoders.filter { $0.category == nil && $0.masks > 0 } ?? []
        return [
            .text(candidate == nil ? "\(model.name) (reference)" : model.name),
            .number(Markup.bytes(model.bytes), Double(model.bytes)),
            .number(Markup.number(model.bitsPerWeight), model.bitsPerWeight),
            cell(model.peakMemoryBytes.map(Double.init)) { Markup.bytes(Int($0)) },
            cell(model.perplexity) {
                Markup.number($0) + (model.perplexityError.map { " ± \(Markup.number($0))" } ?? "")
            },
            cell(candidate?.kl.mean) { "\(Markup.number($0)) ± \(Markup.number(candidate?.kl.standardError ?? 0))" },
            cell(candidate?.top1Agreement.value) { Markup.percent($0) }, cell(model.tokensPerSecond, Markup.number),
            cell(drafting.map(\.speedup).max()) { Markup.number($0) + " ×" },
        ]
    }
}
