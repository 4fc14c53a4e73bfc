import ModelGraph

/// The training pass over one sequence: the mixed rows forward, the three losses, and the graft's gradients back.
///
/// Holds one worker's memory; not to be shared between threads. Source of the mathematics: arXiv 2507.11851 and the
/// averages of its losses as formats/tuning-log.md states them.
final class TrainingPass {
    let model: FrozenModel
    let layout: ParameterLayout
    private let ordinary: OrdinaryPass
    private let layers: [MaskLayer]
    private let sampler: SamplerPass
    private let head: CrossEntropyPass
    /// The residual stream of the mask rows, then their final rows before and after the norm.
    private let x = Matrix(), last = Matrix(), hidden = Matrix(), reciprocal = Matrix()
    private let embedded = Matrix(), hiddenGradient = Matrix(), samplerGradient = Matrix()

    /// What a pass found.
    struct Result {
        /// Parts of the step's averages: sums over this sequence's rows divided by the step's normalisers.
        var losses = Losses()
        /// The most likely token at each mask row, without the sampler and with it.
        var baseBest: [Int32] = []
        var samplerBest: [Int32] = []
    }

    init(model: FrozenModel, layout: ParameterLayout, positions: Int, logitBytes: Int = 8 << 20) {
        self.model = model
        self.layout = layout
        let linears = AdaptedLinears.Shared()
        let attention = MaskAttention.Shared()
        let shared = MaskLayer.Shared()
        ordinary = OrdinaryPass(model: model, tables: model.rotaryTables(positions: positions), tile: linears.tile)
        layers = model.layers.indices.map {
            MaskLayer(
                model: model, index: $0, layout: layout, linears: linears, attention: attention, shared: shared)
        }
        sampler = SamplerPass(layout: layout)
        head = CrossEntropyPass(model: model, tile: linears.tile, logitBytes: logitBytes)
    }

    /// Rows after the final norm: ordinary ones, then masks; valid until the next run.
    var rows: (ordinary: Matrix, masks: Matrix) { (ordinary.hidden, hidden) }
    var samplerRows: Matrix { sampler.output }

    /// - Parameters:
    ///   - gradient: flat, as `layout`; added to. `nil` computes losses alone.
    ///   - softTargets: how many of the base model's most likely tokens the rows learn from; 0 for the true token.
    func run(
        _ sequence: MixedSequence, parameters: Matrix, gradient: Matrix?, normalisers: LossNormalisers,
        weights: LossWeights, softTargets: Int = 0
    ) throws -> Result {
        let c = model.configuration
        let n = sequence.rowCount
        try ordinary.run(sequence.tokens)
        guard n > 0 else { return Result() }
        try embed(sequence, parameters)
        for layer in layers {
            try layer.forward(x, sequence: sequence, ordinary: ordinary, parameters: parameters)
        }
        last.reshape(n, c.hiddenSize)
        last.view.copy(from: x.view)
        hidden.reshape(n, c.hiddenSize)
        reciprocal.reshape(1, n)
        RowKernels.rmsNorm(
            last.view, weight: model.outputNorm.view, into: hidden.view, reciprocal: reciprocal,
            epsilon: model.epsilon)
        embedded.reshape(n, c.hiddenSize)
        for (row, token) in sequence.previous.enumerated() {
            try model.embedding.copyRow(Int(token), into: embedded.view.row(row))
        }
        sampler.forward(embedded: embedded.view, hidden: hidden.view, parameters: parameters)
        let result = try losses(sequence, parameters, gradient, normalisers, weights, softTargets)
        if let gradient { try backward(sequence, parameters, gradient) }
        return result
    }

    /// Ordinary rows alone: what the base model says next at each.
    func baseBest(_ tokens: [Int32]) throws -> [Int32] {
        try ordinary.run(tokens)
        return try head.best(ordinary.hidden.view)
    }

    /// The base model's most likely token after each ordinary token of the sequence just run.
    func ordinaryBest() throws -> [Int32] { try head.best(ordinary.hidden.view) }

    private func embed(_ sequence: MixedSequence, _ parameters: Matrix) throws {
        let c = model.configuration
        x.reshape(sequence.rowCount, c.hiddenSize)
        let masks = parameters.view(layout.masks)
        for (row, offset) in sequence.offsets.enumerated() {
            x.view.row(row).copy(from: masks.row(min(offset, masks.rows) - 1))
        }
        if c.embeddingScale != 1 { RowKernels.scale(x.view, by: Float(c.embeddingScale), into: x.view) }
    }

    private func losses(
        _ sequence: MixedSequence, _ parameters: Matrix, _ gradient: Matrix?, _ normalisers: LossNormalisers,
        _ weights: LossWeights, _ softTargets: Int
    ) throws -> Result {
        var result = Result()
        let perRow = 1 / Double(normalisers.rows)
        let targets = try targets(sequence, softTargets)
        hiddenGradient.reshape(hidden.rows, hidden.columns)
        samplerGradient.reshape(hidden.rows, hidden.columns)
        if weights.base == 0 { hiddenGradient.fill(0) }
        let wanted = gradient != nil
        result.losses.base =
            perRow
            * (try head.run(
                hidden.view, targets: targets, weight: Float(weights.base * perRow),
                gradient: wanted && weights.base != 0 ? hiddenGradient.view : nil, keep: 0, best: &result.baseBest))
        result.losses.sampler =
            perRow
            * (try head.run(
                sampler.output.view, targets: targets, weight: Float(weights.sampler * perRow),
                gradient: wanted && weights.sampler != 0 ? samplerGradient.view : nil, keep: 0,
                best: &result.samplerBest))
        if let gradient, weights.sampler != 0 {
            sampler.backward(
                outputGradient: samplerGradient, embedded: embedded.view, hidden: hidden.view,
                parameters: parameters, gradient: gradient, hiddenGradient: hiddenGradient.view)
        }
        result.losses.latent = latent(sequence, normalisers, weights)
        return result
    }

    private func targets(_ sequence: MixedSequence, _ softTargets: Int) throws -> Targets {
        guard softTargets > 0 else { return Targets(sequence.labels) }
        let top = try head.top(ordinary.hidden.view, count: softTargets)
        var tokens: [Int32] = []
        var weights: [Float] = []
        for position in sequence.positions {
            let range = Int(position) * softTargets..<(Int(position) + 1) * softTargets
            tokens += top.tokens[range]
            weights += top.weights[range]
        }
        return Targets(width: softTargets, tokens: tokens, weights: weights)
    }

    /// For each position, the mean over the masks there of the mean square distance from the ordinary row.
    private func latent(_ sequence: MixedSequence, _ normalisers: LossNormalisers, _ weights: LossWeights) -> Double {
        var count = [Int](repeating: 0, count: sequence.tokens.count)
        for position in sequence.positions { count[Int(position)] += 1 }
        let d = Double(hidden.columns)
        var sum = 0.0
        for (row, position) in sequence.positions.enumerated() {
            let share = 1 / (Double(count[Int(position)]) * Double(normalisers.latent) * d)
            sum +=
                share
                * RowKernels.squaredDistance(
                    hidden.view.row(row), anchor: ordinary.hidden.view.row(Int(position)),
                    gradient: hiddenGradient.view.row(row), gradientScale: Float(2 * weights.latent * share))
        }
        return sum
    }

    private func backward(_ sequence: MixedSequence, _ parameters: Matrix, _ gradient: Matrix) throws {
        let c = model.configuration
        RowKernels.rmsNormBackward(
            hiddenGradient.view, x: last.view, weight: model.outputNorm.view, reciprocal: reciprocal, into: x.view,
            accumulate: false)
        for layer in layers.reversed() {
            try layer.backward(
                x, sequence: sequence, ordinary: ordinary, parameters: parameters, gradient: gradient)
        }
        let masks = gradient.view(layout.masks)
        for (row, offset) in sequence.offsets.enumerated() {
            RowKernels.add(
                x.view.row(row), scale: Float(c.embeddingScale), to: masks.row(min(offset, masks.rows) - 1))
        }
    }
}
