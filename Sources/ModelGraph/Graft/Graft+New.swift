import TensorFiles

extension Graft {
    /// What a new graft is to be like.
    public struct Design: Hashable, Sendable, Codable {
        public var masks: Int
        public var rank: Int
        public var alpha: Double
        /// Which linears of each block are adapted.
        public var linears: [TensorRole.Part]
        public var norm: Norm
        public var normEpsilon: Double
        public var residual: Bool
        public var biases: Bool
        /// One mask vector for every offset.
        public var sharedMask: Bool
        public var seed: UInt64

        public init(
            masks: Int, rank: Int, alpha: Double? = nil, linears: [TensorRole.Part] = Graft.linears,
            norm: Norm = .layerNorm, normEpsilon: Double = 1e-5, residual: Bool = false, biases: Bool = true,
            sharedMask: Bool = false, seed: UInt64 = 0
        ) {
            self.masks = masks
            self.rank = rank
            self.alpha = alpha ?? Double(2 * rank)
            self.linears = linears
            self.norm = norm
            self.normEpsilon = normEpsilon
            self.residual = residual
            self.biases = biases
            self.sharedMask = sharedMask
            self.seed = seed
        }
    }

    /// An untrained graft in F32: A uniform within 1 / sqrt(in) (Kaiming's bound for a leak of sqrt 5), B zero, so
    /// that mask rows start as the base model would treat them; masks normal around `embeddingMean` (d values, or
    /// none: around zero) with `embeddingDeviation`; the sampler's matrices uniform within 1 / sqrt(in), its norms
    /// one. Nothing is held in memory: rows are computed when asked for.
    public init(
        new design: Design, configuration: ModelConfiguration, embeddingMean: [Float] = [],
        embeddingDeviation: Float, base: GraftBase? = nil
    ) throws(ModelError) {
        let hidden = configuration.hiddenSize
        guard embeddingMean.isEmpty || embeddingMean.count == hidden else {
            throw .graft(.wrongShape(tensor: "embedding mean", expected: [hidden], found: [embeddingMean.count]))
        }
        guard (1...64).contains(design.masks), design.rank >= 1, design.rank <= hidden else {
            throw .graft(
                .invalidKey(
                    file: "new graft", key: "masks and rank", expected: "1 … 64 masks, rank 1 … \(hidden)",
                    found: "\(design.masks), \(design.rank)"))
        }
        var stream = SplitMix64(seed: design.seed)
        func tensor(_ name: String, _ shape: [Int], _ law: GeneratedSource.Law) throws(ModelError) -> Tensor {
            let source = GeneratedSource(law: law, seed: stream.next())
            guard let tensor = Tensor(name: name, shape: shape, type: .f32, source: source) else {
                throw .graft(.wrongShape(tensor: name, expected: shape, found: []))
            }
            return tensor
        }
        func linear(_ name: String, _ rows: Int, _ columns: Int) throws(ModelError) -> Tensor {
            try tensor(name, [rows, columns], .uniform(bound: 1 / Float(columns).squareRoot()))
        }
        func tail(_ name: String) throws(ModelError) -> SamplerTail {
            SamplerTail(
                bias: design.biases ? try tensor(name + ".bias", [hidden], .constant(0)) : nil,
                normWeight: try tensor(name + ".norm.weight", [hidden], .constant(1)),
                normBias: design.biases && design.norm == .layerNorm
                    ? try tensor(name + ".norm.bias", [hidden], .constant(0)) : nil)
        }
        let masks = try tensor(
            "mask_embedding", [design.sharedMask ? 1 : design.masks, hidden],
            .normal(mean: embeddingMean, deviation: embeddingDeviation))
        // The halves are drawn as halves of a matrix [d, 2d].
        let bound = 1 / Float(2 * hidden).squareRoot()
        let sampler = Sampler(
            norm: design.norm, epsilon: design.normEpsilon, residual: design.residual,
            token: try tensor("sampler.token", [hidden, hidden], .uniform(bound: bound)),
            hidden: try tensor("sampler.hidden", [hidden, hidden], .uniform(bound: bound)),
            firstTail: try tail("sampler.0"), second: try linear("sampler.second", hidden, hidden),
            secondTail: try tail("sampler.1"))
        var adapters: [TensorRole: Adapter] = [:]
        for block in configuration.layers.indices {
            for part in Graft.linears where design.linears.contains(part) {
                guard let shape = Graft.shape(of: part, in: configuration) else { continue }
                let name = "blk.\(block).\(part.rawValue)"
                adapters[TensorRole(part, block: block)] = Adapter(
                    a: try linear(name + ".lora_a", design.rank, shape.columns),
                    b: try tensor(name + ".lora_b", [shape.rows, design.rank], .constant(0)))
            }
        }
        self.init(
            maskCount: design.masks, maskEmbeddings: masks, rank: design.rank, alpha: design.alpha,
            adapters: adapters, sampler: sampler, base: base)
    }
}
