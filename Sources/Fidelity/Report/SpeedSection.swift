/// What was gained: acceptance by masks, wall-clock speedup by decoder, and the cost of rows that explains both.
struct SpeedSection {
    let candidate: CandidateResult

    func html() -> String {
        let parts = [acceptance(), speedup(), forward(), table()]
        guard parts.contains(where: { !$0.isEmpty }) else { return "" }
        return element("h2", [:], "What was gained") + parts.joined()
    }

    private var overall: [DecoderResult] { candidate.decoders.filter { $0.category == nil } }

    private func acceptance() -> String {
        let names = ordered(overall.filter { $0.masks > 0 }.map(\.name))
        let series = names.map { name in
            Chart.Series(
                name: name,
                points: overall.filter { $0.name == name && $0.masks > 0 }.sorted { $0.masks < $1.masks }
                    .map { (x: Double($0.masks), y: $0.acceptance) })
        }
        guard !series.isEmpty else { return "" }
        let chart = Chart(
            title: "Acceptance by number of masks", xTitle: "masks", yTitle: "tokens per step", series: series,
            yIncludesZero: false)
        return figure(chart, "Tokens generated for each forward pass; 1 is plain decoding.")
    }

    private func speedup() -> String {
        guard overall.contains(where: { $0.masks > 0 }) else { return "" }
        let labels = overall.map { $0.masks > 0 ? "\($0.name) \($0.masks)" : $0.name }
        let chart = Chart(
            title: "Wall-clock speedup by decoder", xTitle: "decoder and masks", yTitle: "times plain decoding",
            series: [
                .init(
                    name: "speedup", style: .bars,
                    points: overall.enumerated().map { (x: Double($0.offset), y: $0.element.speedup) },
                    spreads: overall.map { (low: $0.speedupLow, high: $0.speedupHigh) })
            ],
            categories: labels)
        return figure(
            chart,
            "Plain decoding's time over this decoder's, same prompts, in alternation in one process; whiskers show the repeats' spread."
        )
    }

    private func forward() -> String {
        guard let first = candidate.forward.first, candidate.forward.count > 1 else { return "" }
        let chart = Chart(
            title: "Cost of rows", xTitle: "rows in one forward pass", yTitle: "T(rows) / T(1)",
            series: [
                .init(
                    name: candidate.model.name,
                    points: candidate.forward.map { (x: Double($0.rows), y: $0.seconds / first.seconds) })
            ])
        return figure(
            chart,
            "What a step of several rows costs against a step of one. Speculation pays while acceptance stays above this line."
        )
    }

    private func table() -> String {
        guard !candidate.decoders.isEmpty else { return "" }
        return ReportTable(
            headings: ["decoder", "masks", "prompts", "tokens per step", "tokens/s", "speedup", "from", "to"],
            rows: candidate.decoders.map { result in
                [
                    .text(result.name), .number("\(result.masks)", Double(result.masks)),
                    .text(result.category ?? "all"),
                    .number(Markup.number(result.acceptance), result.acceptance),
                    .number(Markup.number(result.tokensPerSecond), result.tokensPerSecond),
                    .number(Markup.number(result.speedup), result.speedup),
                    .number(Markup.number(result.speedupLow), result.speedupLow),
                    .number(Markup.number(result.speedupHigh), result.speedupHigh),
                ]
            }
        ).html()
    }

    private func ordered(_ names: [String]) -> [String] {
        var seen: Set<String> = []
        return names.filter { seen.insert($0).inserted }
    }
}
