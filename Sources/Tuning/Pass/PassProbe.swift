public import ModelGraph

/// One training pass over one sequence with masks after every token: for checking losses and gradients against a
/// reference.
public struct PassProbe {
    public let losses: Losses
    /// The graft's shape with gradients for values.
    public let gradient: Graft
    /// Rows after the final norm and after the sampler, a row for each mask, block after block.
    public let maskRows: [Float]
    public let samplerRows: [Float]

    public init(
        model: ModelGraph, graft: Graft, tokens: [Int], weights: LossWeights = LossWeights(),
        residentBudget: Int = .max,
        softTargets: Int = 0
    ) throws {
        Product.useOneThread()
        let base = try FrozenModel(model, residentBudget: residentBudget)
        let parameters = try GraftParameters(graft, configuration: base.configuration)
        let gradient = Matrix(1, parameters.layout.count)
        let sequence = MixedSequence(
            tokens: tokens.map(Int32.init), anchors: Array(tokens.indices), masks: graft.maskCount)
        let pass = TrainingPass(model: base, layout: parameters.layout, positions: tokens.count + graft.maskCount)
        let result = try pass.run(
            sequence, parameters: parameters.values, gradient: gradient,
            normalisers: LossNormalisers(rows: sequence.rowCount, latent: sequence.latentCount), weights: weights,
            softTargets: softTargets)
        losses = result.losses
        self.gradient = parameters.graft(like: graft, values: gradient)
        maskRows = pass.rows.masks.values
        samplerRows = pass.samplerRows.values
    }
}
