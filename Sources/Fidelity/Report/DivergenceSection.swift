/// What was lost: divergence by percentile and position, by layer, and the worst passages in words.
struct DivergenceSection {
    let report: FidelityReport
    let candidate: CandidateResult

    func html() -> String {
        element("h2", [:], "What was lost") + summary() + percentiles() + positions() + layers() + passages()
    }

    private func summary() -> String {
        let kl = candidate.kl
        let numbers: [(String, Double)] = [
            ("mean", kl.mean), ("median", kl.median), ("90 %", kl.p90), ("99 %", kl.p99), ("99.9 %", kl.p999),
            ("max", kl.max),
        ]
        let table = ReportTable(
            headings: ["KL, nats a token"] + numbers.map(\.0) + ["top-5 overlap"],
            rows: [
                [.text(candidate.model.name)] + numbers.map { .number(Markup.number($0.1), $0.1) }
                    + [.number(Markup.percent(candidate.top5Overlap), candidate.top5Overlap)]
            ])
        return table.html()
    }

    private func percentiles() -> String {
        let points = candidate.percentiles.enumerated().map { (x: Double($0.offset), y: max($0.element, 1e-6)) }
        let chart = Chart(
            title: "Divergence by percentile", xTitle: "percentile of positions", yTitle: "KL, nats",
            series: [.init(name: candidate.model.name, points: points)], yScale: .logarithmic)
        return figure(
            chart,
            "Each point: this share of positions diverges no more than that. A cliff at the right end is a few bad places; a high plateau is damage everywhere."
        )
    }

    private func positions() -> String {
        guard candidate.positions.count > 1 else { return "" }
        let points = candidate.positions.map { (x: Double($0.from + $0.to) / 2, y: $0.kl) }
        let chart = Chart(
            title: "Divergence by position", xTitle: "position in the window", yTitle: "mean KL, nats",
            series: [.init(name: candidate.model.name, points: points)])
        return figure(
            chart,
            "A rise towards the right is a model that loses its grip on long context: look at the rotary tables and the key/value cache."
        )
    }

    private func layers() -> String {
        guard !candidate.layers.isEmpty else { return "" }
        let points = candidate.layers.map { (x: Double($0.layer), y: $0.relativeError) }
        let chart = Chart(
            title: "Error by layer", xTitle: "after block", yTitle: "relative error of the hidden state",
            series: [.init(name: candidate.model.name, points: points)])
        return figure(chart, "Quantization grows this line slowly. A jump at one block is a wrong tensor in it.")
    }

    private func passages() -> String {
        guard !candidate.passages.isEmpty else { return "" }
        let items = candidate.passages.map { passage in
            let context = element(
                "code", [:],
                Markup.escape(passage.before) + element("mark", [:], Markup.escape(passage.token)))
            return element(
                "div", ["class": "passage"],
                context
                    + element("p", ["class": "soft"], "KL \(Markup.number(passage.kl)) at token \(passage.position)")
                    + choices("reference", passage.reference) + choices("candidate", passage.candidate))
        }
        return element("h3", [:], "Worst passages") + items.joined()
    }

    private func choices(_ who: String, _ choices: [Passage.Choice]) -> String {
        let parts = choices.map { "“\($0.text)” \(Markup.percent($0.probability))" }
        return element("p", [:], Markup.escape("\(who): " + parts.joined(separator: ", ")))
    }
}
