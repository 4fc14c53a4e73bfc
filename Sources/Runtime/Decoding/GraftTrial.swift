import Kernels
public import ModelGraph
public import TensorFiles
import Tokenizers

/// A short run that shows whether a graft's drafts fit a model: what stands in for a digest that agrees.
public enum GraftTrial {
    /// Of the drafts tried, at least this share must be right for a graft to be taken on trust. An untrained one that
    /// always drafts the commonest token comes to a tenth, a trained one on its own base to half.
    public static let leastShare = 0.2
    /// Fewer drafts than this say nothing.
    static let fewest = 20

    /// Decodes `tokens` tokens after a prompt and counts what became of the drafts.
    ///
    /// - Parameter prompt: `nil`: the model writes from its opening token.
    public static func run(
        _ model: LanguageModel, graft: LoadedGraft, prompt: [Int]? = nil, tokens: Int = 64
    ) throws -> DraftCounts {
        let room = model.configuration.contextLength - 1
        let opening = [model.tokenizer?.special.bos ?? 0]
        let start = Array((prompt.flatMap { $0.isEmpty ? nil : $0 } ?? opening).suffix(max(1, room - tokens)))
        let sequence = try model.sequence(positions: min(room + 1, start.count + tokens), adaptation: graft)
        let decoder = try MultiTokenDecoder(sequence, graft: graft, options: .init(layout: .quadratic, masks: 1))
        try decoder.start(prompt: start)
        var made = 0
        while made < min(tokens, room + 1 - start.count) { made += try decoder.step(limit: tokens - made).count }
        return decoder.draftCounts
    }

    /// Loads a graft for a model after checking that it belongs there: its base's digest is the model's, or with
    /// `trusted` the shapes agree and a short run accepts drafts. Weights that name no base need only fit in shape.
    ///
    /// - Throws: `ModelError.graft` with GR-07 or GR-08, naming all that differs and what the run showed.
    public static func admit(
        _ graft: Graft, to model: LanguageModel, trusted: Bool, prompt: [Int]? = nil, progress: ProgressHandler? = nil
    ) throws -> LoadedGraft {
        func load() throws -> LoadedGraft {
            try LoadedGraft(
                graft, configuration: model.configuration, precision: model.transformer.precision,
                pool: model.transformer.pool)
        }
        guard let base = graft.base else {
            try graft.checkBase(digest: "", configuration: model.configuration, trusted: true)
            return try load()
        }
        let digest = try model.graph.sourceDigest(threads: model.transformer.pool.threads, progress: progress)
        let found = GraftBase(digest: digest, configuration: model.configuration)
        let differences = base.differences(from: found)
        guard !differences.isEmpty else { return try load() }
        try graft.checkBase(digest: digest, configuration: model.configuration, trusted: trusted)
        let loaded = try load()
        let counts = try run(model, graft: loaded, prompt: prompt)
        if let doubt = counts.doubt { throw ModelError.graft(.wrongBase(differences: differences + [doubt])) }
        return loaded
    }
}

extension DraftCounts {
    private var first: (tried: Int, right: Int) { (triedByDepth.first ?? 0, rightByDepth.first ?? 0) }

    /// What to tell a person whose drafts are never accepted; `nil` while too few were tried to say.
    public var warning: String? {
        guard first.tried >= GraftTrial.fewest, first.right == 0 else { return nil }
        return
            "none of \(first.tried) drafts was accepted: the graft is untrained, damaged, or made for another model"
    }

    /// Why these counts of a trial do not show that a graft fits; `nil` when they do.
    public var doubt: String? {
        if let warning { return warning }
        guard first.tried >= GraftTrial.fewest else {
            return "a trial run tried \(first.tried) drafts, too few to trust it"
        }
        guard Double(first.right) < GraftTrial.leastShare * Double(first.tried) else { return nil }
        return "only \(first.right) of \(first.tried) drafts were accepted in a trial run, a graft that fits has half"
    }
}
