import ModelGraph

/// A short run that shows whether a graft's drafts fit a model: what stands in for a digest that agrees.
public enum GraftTrial {
    /// Decodes `tokens` tokens after a prompt and counts what became of the drafts.
    public static func run(
        _ model: LanguageModel, graft: LoadedGraft, prompt: [Int], tokens: Int = 64
    ) throws -> DraftCounts {
        let room = model.configuration.contextLength - 1
        let start = Array(prompt.suffix(max(1, room - tokens)))
        let sequence = try model.sequence(positions: min(room + 1, start.count + tokens), adaptation: graft)
        let decoder = try MultiTokenDecoder(sequence, graft: graft, options: .init(layout: .quadratic, masks: 1))
        try decoder.start(prompt: start)
        var made = 0
        while made < min(tokens, room + 1 - start.count) { made += try decoder.step(limit: tokens - made).count }
        return decoder.draftCounts
    }
}

extension DraftCounts {
    /// What to tell a person whose drafts are never accepted; `nil` while too few were tried to say.
    public var warning: String? {
        let tried = triedByDepth.first ?? 0
        guard tried >= 20, (rightByDepth.first ?? 0) == 0 else { return nil }
        return "none of \(tried) drafts was accepted: the graft is untrained, damaged, or made for another model"
    }
}
