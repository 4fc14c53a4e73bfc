/// What was gained: acceptance by masks, wall-clock speedup by decoder, and the cost of rows that explains both.
struct SpeedSection {
    let report: FidelityReport

    func html() -> String {
        let candidates = report.candidates.filter { !$0.decoders.isEmpty }
        let forward = forward()
        guard !candidates.isEmpty || !forward.isEmpty else { return "" }
        let charts = candidates.flatMap { candidate in
            // One candidate needs no name on its charts.
            let suffix = candidates.count > 1 ? ": " + candidate.model.name : ""
            return [acceptance(candidate, suffix), speedup(candidate, suffix)]
        }
        return element("h2", [:], "What was gained") + grid(charts + [forward])
            + candidates.map { table($0) }.joined()
    }

    private func overall(_ candidate: CandidateResult) -> [DecoderResult] {
        candidate.decoders.filter { $0.category == nil }
    }

    private func acceptance(_ candidate: CandidateResult, _ suffix: String) -> String {
        let drafting = overall(candidate).filter { $0.masks > 0 }
        let series = ordered(drafting.map(\.name)).map { name in
            Chart.Series(
                name: name,
                points: drafting.filter { $0.name == name }.sorted { $0.masks < $1.masks }
                    .map { (x: Double($0.masks), y: $0.acceptance) })
        }
        guard !series.isEmpty else { return "" }
        let chart = Chart(
            title: "Acceptance by number of masks" + suffix, xTitle: "masks", yTitle: "tokens per step",
            series: series, yIncludesZero: false)
        return figure(chart, "Tokens generated for each forward pass; 1 is plain decoding.")
    }

    private func speedup(_ candidate: CandidateResult, _ suffix: String) -> String {
        let overall = overall(candidate)
        guard overall.contains(where: { $0.masks > 0 }) else { return "" }
        let chart = Chart(
            title: "Wall-clock speedup by decoder" + suffix, xTitle: "decoder and masks",
            yTitle: "times plain decoding",
            series: [
                .init(
                    name: "speedup", style: .bars,
                    points: overall.enumerated().map { (x: Double($0.offset), y: $0.element.speedup) },
                    spreads: overall.map { (low: $0.speedupLow, high: $0.speedupHigh) })
            ],
            categories: overall.map { $0.masks > 0 ? "\($0.name.prefix(1)) \($0.masks)" : $0.name })
        return figure(
            chart,
            "l: linear, q: quadratic, a: adaptive. Plain decoding's time over this decoder's, same prompts, in alternation in one process; whiskers: the spread over repeats."
        )
    }

    private func forward() -> String {
        let series = report.candidates.compactMap { candidate -> Chart.Series? in
            guard let first = candidate.forward.first, candidate.forward.count > 1 else { return nil }
            return .init(
                name: candidate.model.name,
                points: candidate.forward.map { (x: Double($0.rows), y: $0.seconds / first.seconds) })
        }
        guard !series.isEmpty else { return "" }
        let chart = Chart(
            title: "Cost of rows", xTitle: "rows in one forward pass", yTitle: "T(rows) / T(1)", series: series)
        return figure(
            chart,
            "What a step of several rows costs against a step of one. Speculation pays while acceptance stays above this line."
        )
    }

    /// The parts of a step's time that have a column.
    private static let parts = ["layers", "attention", "unembedding", "sampler", "planner"]

    private func table(_ candidate: CandidateResult) -> String {
        ReportTable(
            headings: ["decoder", "masks", "prompts", "tokens per step", "tokens/s", "speedup", "from", "to"]
                + Self.parts.map { $0 + ", % of time" },
            rows: candidate.decoders.map { result in
                let total = max(result.secondsByPart.values.reduce(0, +), 1e-12)
                return [
                    .text(result.name), .number("\(result.masks)", Double(result.masks)),
                    .text(result.category ?? "all"),
                ]
                    + [
                        result.acceptance, result.tokensPerSecond, result.speedup, result.speedupLow,
                        result.speedupHigh,
                    ].map { .number(Markup.number($0), $0) }
                    + Self.parts.map { part in
                        let share = (result.secondsByPart[part] ?? 0) / total
                        return .number(Markup.percent(share, decimals: 0), share)
                    }
            }, folded: "\(candidate.model.name): \(candidate.decoders.count) measurements"
        ).html()
    }

    private func ordered(_ names: [String]) -> [String] {
        var seen: Set<String> = []
        return names.filter { seen.insert($0).inserted }
    }
}
