import ModelGraph
import TensorFiles

/// Reads causes off a graft: halves of the sampler lost to a shared scale, drafts that nobody accepts.
package enum GraftDiagnosis {
    /// Drafts that are hardly ever right: tokens per step within this of plain decoding's 1.
    private static let idle = 0.02

    /// A graft that says itself that it was made for another model.
    static func foreign(_ differences: [String]) -> Finding {
        Finding(
            cause: "foreignGraft", severity: .failure,
            message: "the graft was made for another model (\(differences.joined(separator: "; "))), so only plain "
                + "decoding was run: give the graft of this model, or --trust-base when you know that it fits")
    }

    package static func findings(samplerHalves: (embedding: Double, hidden: Double)?, decoders: [DecoderResult])
        -> [Finding]
    {
        var findings: [Finding] = []
        var halfLost = false
        if let halves = samplerHalves {
            let share = min(halves.embedding, halves.hidden) / max(halves.embedding, halves.hidden, 1e-30)
            if share < 1e-4 {
                halfLost = true
                let which = halves.embedding < halves.hidden ? "previous token's embedding" : "mask's hidden state"
                findings.append(
                    Finding(
                        cause: "samplerHalfLost", severity: .failure,
                        message: "the half of the sampler's first matrix that reads the \(which) is zero: "
                            + "one scale was shared across both halves when it was quantized. "
                            + "Quantize the graft again with foretoken, or keep the sampler in F16"))
            }
        }
        let drafting = decoders.filter { $0.category == nil && $0.masks > 0 }
        if let best = drafting.map(\.acceptance).max(), best < 1 + idle {
            let why =
                halfLost
                ? "its sampler is damaged"
                : "the graft belongs to another base, was damaged when it was quantized, or was never trained"
            findings.append(
                Finding(
                    cause: "draftsNeverAccepted", severity: .failure,
                    message: "the sampler's drafts are never accepted "
                        + "(\(Markup.number(best)) tokens a step at best): \(why)"))
        } else if let best = drafting.map(\.speedup).max(), best < 1 {
            findings.append(
                Finding(
                    cause: "noSpeedup", severity: .note,
                    message: "no multi-token decoder is faster than plain decoding here "
                        + "(\(Markup.number(best)) times at best): rows cost more than the drafts bring"))
        }
        return findings
    }
}
