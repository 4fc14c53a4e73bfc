/// What was lost: divergence by percentile and position, by layer, and the worst passages in words.
struct DivergenceSection {
    let report: FidelityReport

    func html() -> String {
        element("h2", [:], "What was lost") + summary() + grid([percentiles(), positions(), layers()]) + passages()
    }

    private func summary() -> String {
        ReportTable(
            headings: ["KL, nats a token", "mean", "median", "90 %", "99 %", "99.9 %", "max", "top-5 overlap"],
            rows: report.candidates.map { candidate in
                let kl = candidate.kl
                return [.text(candidate.model.name)]
                    + [kl.mean, kl.median, kl.p90, kl.p99, kl.p999, kl.max].map { .number(Markup.number($0), $0) }
                    + [.number(Markup.percent(candidate.top5Overlap), candidate.top5Overlap)]
            }
        ).html()
    }

    /// A line for each candidate that has points.
    private func lines(_ points: (CandidateResult) -> [(x: Double, y: Double)]) -> [Chart.Series] {
        report.candidates.map { .init(name: $0.model.name, points: points($0)) }.filter { !$0.points.isEmpty }
    }

    private func percentiles() -> String {
        let chart = Chart(
            title: "Divergence by percentile", xTitle: "percentile of positions", yTitle: "KL, nats",
            series: lines { candidate in
                candidate.percentiles.enumerated().map { (x: Double($0.offset), y: max($0.element, 1e-6)) }
            }, yScale: .logarithmic)
        return figure(
            chart,
            "This share of positions diverges no more than that. A cliff at the right end is a few bad places; a high plateau is damage everywhere."
        )
    }

    private func positions() -> String {
        let series = lines { $0.positions.map { (x: Double($0.from + $0.to) / 2, y: $0.kl) } }
        guard series.contains(where: { $0.points.count > 1 }) else { return "" }
        let chart = Chart(
            title: "Divergence by position", xTitle: "position in the window", yTitle: "mean KL, nats",
            series: series)
        return figure(
            chart,
            "A rise towards the right is a model that loses its grip on long context: look at the rotary tables and the key/value cache."
        )
    }

    private func layers() -> String {
        let series = lines { $0.layers.map { (x: Double($0.layer), y: $0.relativeError) } }
        guard !series.isEmpty else { return "" }
        let chart = Chart(
            title: "Error by layer", xTitle: "after block (-1: embeddings)",
            yTitle: "relative error of the hidden state", series: series)
        return figure(chart, "Quantization grows this line slowly. A jump at one block is a wrong tensor in it.")
    }

    private func passages() -> String {
        let lists = report.candidates.filter { !$0.passages.isEmpty }.map { candidate in
            let worst = Markup.number(candidate.passages[0].kl)
            return element(
                "details", [:],
                element(
                    "summary", [:],
                    Markup.escape("\(candidate.model.name): \(candidate.passages.count) places, KL up to \(worst)"))
                    + candidate.passages.map(passage).joined())
        }
        return lists.isEmpty ? "" : element("h3", [:], "Worst passages") + lists.joined()
    }

    private func passage(_ passage: Passage) -> String {
        let context = element(
            "code", [:],
            Markup.escape(passage.before) + element("mark", [:], Markup.escape(passage.token)))
        return element(
            "div", ["class": "passage"],
            context + element("p", ["class": "soft"], "KL \(Markup.number(passage.kl)) at token \(passage.position)")
                + choices("reference", passage.reference) + choices("candidate", passage.candidate))
    }

    private func choices(_ who: String, _ choices: [Passage.Choice]) -> String {
        let parts = choices.map { "“\($0.text)” \(Markup.percent($0.probability))" }
        return element("p", [:], Markup.escape("\(who): " + parts.joined(separator: ", ")))
    }
}
