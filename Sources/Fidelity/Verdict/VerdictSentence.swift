/// The report in one sentence that a person can act on.
enum VerdictSentence {
    static func write(_ candidates: [CandidateResult], limits: [LimitResult], recommended: String?) -> String {
        let failures = candidates.flatMap { candidate in candidate.findings.filter { $0.severity == .failure } }
        if let first = failures.first {
            return capitalised(first.message) + (first.message.hasSuffix(".") ? "" : ".")
                + (failures.count > 1 ? " \(failures.count - 1) more findings below." : "")
        }
        let missed = limits.filter { !$0.passed && $0.name != "bytes" }
        if candidates.count == 1, let first = missed.first {
            let value = first.value.map(Markup.number) ?? "not measured"
            return "\(capitalised(first.name)) is \(value), the limit was \(Markup.number(first.limit))."
        }
        if candidates.count > 1 {
            if let recommended {
                return "Ship \(recommended)." + gain(candidates.first { $0.model.name == recommended })
            }
            return limits.isEmpty
                ? "No limits were given: choose by the table." : "No candidate meets the limits that were given."
        }
        return loss(candidates[0]) + gain(candidates[0])
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

    private static func gain(_ candidate: CandidateResult?) -> String {
        guard let candidate else { return "" }
        let drafting = candidate.decoders.filter { $0.category == nil && $0.masks > 0 }
        guard let best = drafting.max(by: { $0.speedup < $1.speedup }) else { return "" }
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
