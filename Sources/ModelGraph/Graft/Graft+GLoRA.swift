public import TensorFiles

extension Graft {
    /// What the trainer `MTP-GLoRA` keeps beside the weights, in `config.json` of the checkpoint's folder.
    public struct GLoRASettings: Hashable, Sendable {
        public var masks: Int
        public var rank: Int
        public var alpha: Double
        /// The scale is alpha / sqrt(rank) instead of alpha / rank.
        public var rankStabilised: Bool
        /// The model's own.
        public var normEpsilon: Double

        public init(
            masks: Int = 4, rank: Int = 16, alpha: Double = 32, rankStabilised: Bool = false, normEpsilon: Double
        ) {
            self.masks = masks
            self.rank = rank
            self.alpha = alpha
            self.rankStabilised = rankStabilised
            self.normEpsilon = normEpsilon
        }
    }

    /// True when the names are those of an `MTP-GLoRA` checkpoint.
    public static func isGLoRA(_ names: some Sequence<String>) -> Bool {
        names.contains { $0.hasSuffix("sampler_head.layers.0.linear.weight") }
    }

    /// Reads a checkpoint of `MTP-GLoRA`: factors on projections that may be fused (query, key and value in one,
    /// gate and up in one), one mask vector for all offsets, a sampler without biases, with RMS norms and a residual.
    ///
    /// The checkpoint does not hold the mask's vector, which its trainer leaves as the mean of the embedding table:
    /// `maskEmbedding` is that row, [1, d]. A fused factor A serves each part; factor B is cut by rows.
    public init(
        gLoRA weights: [String: Tensor], settings: GLoRASettings, maskEmbedding: Tensor,
        configuration: ModelConfiguration, file: String
    ) throws(ModelError) {
        // Names begin with however many wrappers the trainer had around the model.
        var short: [String: Tensor] = [:]
        for (name, tensor) in weights {
            guard let start = name.ranges(of: "layers.").first?.lowerBound else {
                throw .graft(.unexpectedTensor(file: file, tensor: name))
            }
            let isHead = name[..<start].hasSuffix("sampler_head.")
            short[(isHead ? "sampler_head." : "") + name[start...]] = tensor
        }
        guard short.count == weights.count else {
            throw .graft(.notAGraft(file: file, reason: "two tensors have the same name after their prefixes"))
        }
        var pool = TensorPool(short, file: file)
        var scale: Double?
        var adapters: [TensorRole: Adapter] = [:]
        for name in pool.left.keys.sorted() where name.hasSuffix(".lora_A.weight") {
            guard let (block, rest) = GraftName.block(name, prefix: "layers"),
                let target = Self.gLoRATarget(String(rest.dropLast(".lora_A.weight".count)), configuration)
            else { throw .graft(.unexpectedTensor(file: file, tensor: name)) }
            let a = try pool.require(name)
            let b = try pool.require(name.replacing(".lora_A.", with: ".lora_B."))
            // A fused projection of n parts has rank n · r and alpha n · alpha: the same scale, except when it is
            // alpha / sqrt(rank), which then grows with sqrt(n).
            guard a.rowCount == settings.rank * target.count else {
                throw .graft(
                    .wrongShape(tensor: name, expected: [settings.rank * target.count, a.rowLength], found: a.shape))
            }
            let parts = Double(target.count)
            let itsScale =
                settings.rankStabilised
                ? parts * settings.alpha / (parts * Double(settings.rank)).squareRoot()
                : settings.alpha / Double(settings.rank)
            guard scale == nil || scale == itsScale else {
                throw .graft(
                    .notAGraft(
                        file: file, reason: "rank-stabilised factors on fused projections have no common scale"))
            }
            scale = itsScale
            var first = 0
            for (part, rows) in target {
                guard let slice = b.rows(first..<first + rows, name: name + "[\(part.rawValue)]") else {
                    throw .graft(
                        .wrongShape(
                            tensor: b.name, expected: [target.reduce(0) { $0 + $1.rows }, a.rowCount], found: b.shape)
                    )
                }
                adapters[TensorRole(part, block: block)] = Adapter(a: a, b: slice)
                first += rows
            }
            guard first == b.rowCount else {
                throw .graft(.wrongShape(tensor: b.name, expected: [first, a.rowCount], found: b.shape))
            }
        }
        let head = "sampler_head.layers."
        let (token, hidden) = try Self.halves(ofFirst: try pool.require(head + "0.linear.weight"))
        let sampler = Sampler(
            norm: .rmsNorm, epsilon: settings.normEpsilon, residual: true, token: token, hidden: hidden,
            firstTail: SamplerTail(normWeight: try pool.require(head + "0.norm.weight")),
            second: try pool.require(head + "1.linear.weight"),
            secondTail: SamplerTail(normWeight: try pool.require(head + "1.norm.weight")))
        try pool.finish()
        let alpha = (scale ?? 1) * Double(settings.rank)
        self.init(
            maskCount: settings.masks, maskEmbeddings: maskEmbedding, rank: settings.rank, alpha: alpha,
            adapters: adapters, sampler: sampler)
        try checkShapes(configuration: configuration)
    }

    /// The parts of a projection that the trainer adapts as one, with their rows.
    private static func gLoRATarget(
        _ name: String, _ configuration: ModelConfiguration
    ) -> [(part: TensorRole.Part, rows: Int)]? {
        let fused: [String: [TensorRole.Part]] = [
            "self_attn.qkv_proj": [.query, .key, .value], "mlp.gate_up_proj": [.gate, .up],
        ]
        let parts = fused[name] ?? GraftName.hub.filter { $0.name == name }.map(\.part)
        guard !parts.isEmpty else { return nil }
        return parts.compactMap { part in shape(of: part, in: configuration).map { (part, $0.rows) } }
    }
}
