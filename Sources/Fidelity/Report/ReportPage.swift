/// The report as one self-contained HTML file: verdict first, then what was lost, then what was gained, then every
/// number.
public struct ReportPage {
    let report: FidelityReport

    public init(_ report: FidelityReport) { self.report = report }

    public func html() -> String {
        let names = report.candidates.map(\.model.name)
        let who = names.count > 2 ? "\(names.count) candidates" : names.joined(separator: " and ")
        let title = "\(who) against \(report.reference.name)"
        var body = element("h1", [:], Markup.escape(title)) + verdict() + cards()
        body += OverviewSection(report: report).html() + DivergenceSection(report: report).html()
        body += SpeedSection(report: report).html() + TensorSection(report: report).html()
        body += footer()
        return """
            <!doctype html>
            <html lang="en"><head><meta charset="utf-8">
            <meta name="viewport" content="width=device-width,initial-scale=1">
            <title>\(Markup.escape(title))</title>
            <style>
            \(ReportStyle.sheet)
            </style></head>
            <body>
            \(body)
            <script>
            \(ReportStyle.script)
            </script>
            </body></html>

            """
    }

    private func verdict() -> String {
        let word = report.passed ? "Passed." : "Failed."
        var content = element("b", [:], word) + " " + Markup.escape(report.verdict)
        // Notes of several candidates say the same of each; the tables show it.
        let several = report.candidates.count > 1
        let findings = report.candidates.flatMap { candidate in
            candidate.findings.filter { !several || $0.severity != .note }.map { (candidate.model.name, $0) }
        }
        if !findings.isEmpty {
            let items = findings.map { name, finding in
                element(
                    "li", ["class": finding.severity.rawValue],
                    Markup.escape((several ? name + ": " : "") + finding.message))
            }
            content += element("ul", ["class": "findings"], items.joined())
        }
        if !report.limits.isEmpty {
            let parts = report.limits.map { limit in
                let value = limit.value.map(Markup.number) ?? "not measured"
                return "\(limit.candidate): \(limit.name) \(value) (limit \(Markup.number(limit.limit)))"
                    + (limit.passed ? "" : " – missed")
            }
            content += element("p", ["class": "soft"], Markup.escape(parts.joined(separator: "; ")))
        }
        return element("div", ["class": report.passed ? "verdict" : "verdict no"], content)
    }

    /// Key figures of the candidate that is recommended, or of the first.
    private func cards() -> String {
        let reference = report.reference
        let focus = report.candidates.first { $0.model.name == report.recommended } ?? report.candidates[0]
        let candidate = focus.model
        let share = Double(candidate.bytes) / Double(max(1, reference.bytes))
        var cards = [
            card(
                "Size", Markup.bytes(candidate.bytes),
                "\(Markup.percent(share, decimals: 0)) of \(Markup.bytes(reference.bytes))"),
            card(
                "Bits per weight", Markup.number(candidate.bitsPerWeight),
                "was \(Markup.number(reference.bitsPerWeight))"),
            card(
                "KL divergence", Markup.number(focus.kl.mean),
                "± \(Markup.number(focus.kl.standardError)) nats a token"),
            card(
                "Same first choice", Markup.percent(focus.top1Agreement.value),
                "± \(Markup.percent(focus.top1Agreement.standardError, decimals: 2))"),
        ]
        if let mine = candidate.perplexity, let theirs = reference.perplexity {
            cards.append(card("Perplexity", Markup.number(mine), "was \(Markup.number(theirs))"))
        }
        let overall = focus.decoders.filter { $0.category == nil && $0.masks > 0 }
        if let best = overall.max(by: { $0.speedup < $1.speedup }) {
            cards.append(
                card(
                    "Best speedup", Markup.number(best.speedup) + " ×",
                    "\(best.name), \(best.masks) masks, wall clock"))
        }
        if let equality = focus.equality {
            cards.append(
                card(
                    "Multi-token = plain", equality.equal ? "yes" : "no",
                    "\(equality.tokens) tokens, \(equality.prompts) prompts"))
        }
        let name = report.candidates.count > 1 ? element("p", ["class": "soft"], Markup.escape(candidate.name)) : ""
        return name + element("div", ["class": "cards"], cards.joined())
    }

    private func card(_ name: String, _ value: String, _ note: String) -> String {
        element(
            "div", ["class": "card"],
            element("span", [:], Markup.escape(name)) + element("strong", [:], Markup.escape(value))
                + element("small", [:], Markup.escape(note)))
    }

    private func footer() -> String {
        let machine = report.machine
        let text = report.text
        let lines = [
            "Text: \(text.name), \(text.tokens) tokens in windows of \(text.context), \(text.scored) scored.",
            "Machine: \(machine.processor), \(machine.threads) threads, \(machine.instructionSet).",
            "foretoken \(machine.version), \(machine.date).",
            "Made by: \(report.command)",
        ]
        return element("footer", [:], lines.map { element("p", [:], Markup.escape($0)) }.joined())
    }
}

/// A chart with a sentence under it that says what to look for.
func figure(_ chart: Chart, _ caption: String) -> String {
    element(
        "figure", [:],
        element("h3", [:], Markup.escape(chart.title)) + chart.svg()
            + element("figcaption", [:], Markup.escape(caption)))
}

/// Figures beside each other where there is room.
func grid(_ figures: [String]) -> String {
    element("div", ["class": "charts"], figures.joined())
}
