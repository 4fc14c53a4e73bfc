/// Several candidates side by side: size against divergence and speed, and which to ship.
struct FrontierSection {
    let report: FidelityReport

    func html() -> String {
        element("h2", [:], "Which to ship") + recommendation() + sizeAgainstDivergence() + table()
    }

    private func recommendation() -> String {
        guard let name = report.recommended else { return "" }
        return element("p", [:], "Under the limits given: " + element("b", [:], Markup.escape(name)) + ".")
    }

    private func sizeAgainstDivergence() -> String {
        let series = report.candidates.map { candidate in
            Chart.Series(
                name: candidate.model.name, style: .points,
                points: [(x: Double(candidate.model.bytes) / 1_048_576, y: candidate.kl.mean)],
                labels: [candidate.model.name])
        }
        let chart = Chart(
            title: "Size against divergence", xTitle: "MiB", yTitle: "mean KL, nats", series: series,
            yScale: .logarithmic)
        return figure(
            chart, "Down and left is better. A point with another below and to the left of it has no reason to exist."
        )
    }

    private func table() -> String {
        ReportTable(
            headings: [
                "candidate", "bytes", "bits per weight", "mean KL", "same first choice", "perplexity", "tokens/s",
            ],
            rows: report.candidates.map { candidate in
                let model = candidate.model
                return [
                    .text(model.name), .number(Markup.bytes(model.bytes), Double(model.bytes)),
                    .number(Markup.number(model.bitsPerWeight), model.bitsPerWeight),
                    .number(Markup.number(candidate.kl.mean), candidate.kl.mean),
                    .number(Markup.percent(candidate.top1Agreement.value), candidate.top1Agreement.value),
                    .number(model.perplexity.map(Markup.number) ?? "–", model.perplexity ?? .infinity),
                    .number(model.tokensPerSecond.map(Markup.number) ?? "–", model.tokensPerSecond ?? 0),
                ]
            }
        ).html()
    }
}
