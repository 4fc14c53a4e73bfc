import Fidelity
import Foundation

/// The outcome of `verify` for a terminal.
enum VerifyText {
    static func summary(_ report: FidelityReport, report path: String?) -> String {
        var lines: [String] = []
        let reference = report.reference
        lines.append("reference  \(reference.name)  \(describe(reference))")
        for candidate in report.candidates {
            lines.append("candidate  \(candidate.model.name)  \(describe(candidate.model))")
            let kl = candidate.kl
            lines.append(
                String(
                    format: "  KL         mean %.6f ± %.6f  median %.6f  99 %% %.4f  99.9 %% %.4f  max %.4f nats",
                    kl.mean,
                    kl.standardError, kl.median, kl.p99, kl.p999, kl.max))
            let top = candidate.top1Agreement
            lines.append(
                String(
                    format: "  agreement  first choice %.2f ± %.2f %%, five likeliest %.2f %%", top.value * 100,
                    top.standardError * 100, candidate.top5Overlap * 100))
            for decoder in candidate.decoders where decoder.category == nil {
                let name = decoder.masks > 0 ? "\(decoder.name) \(decoder.masks)" : decoder.name
                lines.append(
                    "  "
                        + name.padding(toLength: max(12, name.count + 1), withPad: " ", startingAt: 0)
                        + String(
                            format: "%.3f tokens/step  %.1f tokens/s  %.3f× (%.3f … %.3f)", decoder.acceptance,
                            decoder.tokensPerSecond, decoder.speedup, decoder.speedupLow, decoder.speedupHigh))
            }
            if let equality = candidate.equality {
                lines.append(
                    "  equality   " + (equality.equal ? "same" : "\(equality.forks.count) forks")
                        + " over \(equality.tokens) tokens of \(equality.prompts) prompts")
            }
            for finding in candidate.findings { lines.append("  \(finding.severity.rawValue)  \(finding.message)") }
        }
        for limit in report.limits {
            let value = limit.value.map { String(format: "%.4g", $0) } ?? "not measured"
            let limitText = String(format: "%.4g", limit.limit)
            lines.append(
                "limit      \(limit.candidate): \(limit.name) \(value), limit \(limitText): "
                    + (limit.passed ? "met" : "missed"))
        }
        lines.append((report.passed ? "PASSED  " : "FAILED  ") + report.verdict)
        if let path { lines.append("report     \(path)") }
        return lines.joined(separator: "\n") + "\n"
    }

    private static func describe(_ model: ModelSummary) -> String {
        var text = "\(ByteSize.text(model.bytes)), \(String(format: "%.3f", model.bitsPerWeight)) bits per weight"
        if let perplexity = model.perplexity {
            text += String(format: ", perplexity %.4f ± %.4f", perplexity, model.perplexityError ?? 0)
        }
        return text
    }
}
