/// The report in a few sentences that a person can act on.
enum VerdictSentence {
    static func write(_ candidates: [CandidateResult], limits: [LimitResult], recommended: String?) -> String {
        guard candidates.count == 1 else { return several(candidates, limits: limits, recommended: recommended) }
        let candidate = candidates[0]
        if let text = failure(candidate) { return text }
        let missed = limits.filter { !$0.passed }
        guard missed.isEmpty else { return missed.map { miss($0, candidate) }.joined(separator: " ") }
        return loss(candidate) + gain(candidate)
    }

    private static func several(
        _ candidates: [CandidateResult], limits: [LimitResult], recommended: String?
    ) -> String {
        var sentences: [String] = []
        if let chosen = candidates.first(where: { $0.model.name == recommended }) {
            let what = "\(Markup.bytes(chosen.model.bytes)), mean KL \(Markup.number(chosen.kl.mean))"
            sentences.append("Ship \(chosen.model.name) (\(what))." + alternative(chosen, candidates) + gain(chosen))
        } else if limits.isEmpty {
            let names = Frontier.names(candidates).joined(separator: ", ")
            sentences.append(
                "No limit says what matters more, size or closeness: choose among \(names), or give --max-kl, "
                    + "--min-top1 or --max-size.")
        } else {
            let missed = limits.filter { !$0.passed }.map { "\($0.candidate) by its \($0.name)" }
            let why = missed.isEmpty ? "" : ": " + missed.joined(separator: ", ") + " misses"
            sentences.append("No candidate meets the limits\(why).")
        }
        let broken = candidates.filter { failure($0) != nil }
        for candidate in broken { sentences.append("\(candidate.model.name) is broken: \(failure(candidate) ?? "")") }
        return sentences.joined(separator: " ")
    }

    /// A little more for much less loss.
    private static func alternative(_ chosen: CandidateResult, _ candidates: [CandidateResult]) -> String {
        let near = candidates.filter {
            $0.model.bytes > chosen.model.bytes && Double($0.model.bytes) <= 1.1 * Double(chosen.model.bytes)
                && $0.kl.mean < chosen.kl.mean / 1.5 && failure($0) == nil
        }
        guard let best = near.min(by: { $0.kl.mean < $1.kl.mean }) else { return "" }
        let more = Double(best.model.bytes) / Double(max(1, chosen.model.bytes)) - 1
        return " \(best.model.name) lost \(Markup.number(chosen.kl.mean / max(best.kl.mean, 1e-12))) times less for "
            + "\(Markup.percent(more)) more bytes."
    }

    private static func failure(_ candidate: CandidateResult) -> String? {
        let failures = candidate.findings.filter { $0.severity == .failure }
        guard let first = failures.first else { return nil }
        let more = failures.count - 1
        return capitalised(first.message) + (first.message.hasSuffix(".") ? "" : ".")
            + (more > 0 ? " \(more) more \(more == 1 ? "finding" : "findings") below." : "")
    }

    private static func miss(_ limit: LimitResult, _ candidate: CandidateResult) -> String {
        let isBytes = limit.name == FidelityLimits.bytesName
        let value = limit.value.map { isBytes ? Markup.bytes(Int($0)) : Markup.number($0) } ?? "not measured"
        let bound = isBytes ? Markup.bytes(Int(limit.limit)) : Markup.number(limit.limit)
        let advice =
            switch limit.name {
            case FidelityLimits.bytesName: "quantize --size makes a file of exactly what is allowed"
            case FidelityLimits.speedupName:
                limit.value == nil
                    ? "only a graft makes multi-token decoding possible: give --graft"
                    : "rows cost more here than drafts bring: decode plainly, or tune the graft further"
            default:
                "take a type with more bits, or spend the same bytes better with quantize --size and --importance"
            }
        return "\(capitalised(limit.name)) is \(value), the limit was \(bound): \(advice)."
    }

    private static func loss(_ candidate: CandidateResult) -> String {
        let kl = candidate.kl.mean
        let size = Markup.bytes(candidate.model.bytes)
        let words =
            switch kl {
            case ..<0.001: "hardly anything was lost"
            case ..<0.01: "little was lost"
            case ..<0.05: "some was lost"
            case ..<0.2: "much was lost"
            default: "the model is damaged"
            }
        return "At \(size) \(words): mean KL \(Markup.number(kl)) nats a token, "
            + "the same first choice \(Markup.percent(candidate.top1Agreement.value)) of the time."
    }

    private static func gain(_ candidate: CandidateResult) -> String {
        let drafting = candidate.decoders.filter { $0.category == nil && $0.masks > 0 }
        guard let best = drafting.max(by: { $0.speedup < $1.speedup }) else { return "" }
        let spread = "\(Markup.number(best.speedupLow)) … \(Markup.number(best.speedupHigh))"
        guard best.speedupLow >= 1 else {
            return " Multi-token decoding gains nothing sure here: the best (\(best.name), \(best.masks) masks) has "
                + "\(Markup.number(best.speedup)) times plain decoding's speed (\(spread))."
        }
        let same = candidate.equality?.equal == true ? ", not one token changed" : ""
        return
            " Multi-token decoding (\(best.name), \(best.masks) masks) runs \(Markup.number(best.speedup)) times as "
            + "fast as plain decoding\(same)."
    }

    /// A sentence's first letter, unless it begins a tensor's name.
    private static func capitalised(_ text: String) -> String {
        guard let word = text.split(separator: " ").first, !word.contains(where: { "._0123456789".contains($0) })
        else {
            return text
        }
        return text.prefix(1).uppercased() + text.dropFirst()
    }
}
