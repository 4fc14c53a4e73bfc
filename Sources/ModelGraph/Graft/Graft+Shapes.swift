import TensorFiles

extension Graft {
    /// Checks every part's shape against each other, and against the model when its configuration is given
    /// (GR-07, GR-09). Nothing is read.
    public func checkShapes(configuration: ModelConfiguration? = nil) throws(ModelError) {
        let hidden = configuration?.hiddenSize ?? hiddenSize
        guard maskCount >= 1, maskCount <= 64 else {
            throw .graft(.invalidKey(file: "graft", key: "masks", expected: "1 … 64", found: "\(maskCount)"))
        }
        guard rank >= 1, alpha.isFinite, alpha > 0 else {
            throw .graft(
                .invalidKey(
                    file: "graft", key: "rank and alpha", expected: "positive numbers", found: "\(rank), \(alpha)"))
        }
        try Self.expect(maskEmbeddings, [maskEmbeddings.rowCount == 1 ? 1 : maskCount, hidden])
        for tensor in [sampler.token, sampler.hidden, sampler.second] {
            try Self.expect(tensor, [hidden, hidden])
        }
        for tail in [sampler.firstTail, sampler.secondTail] {
            for tensor in [tail.bias, tail.normWeight, tail.normBias].compactMap({ $0 }) {
                try Self.expect(tensor, [hidden])
            }
            if sampler.norm == .rmsNorm, let bias = tail.normBias {
                throw .graft(.unexpectedTensor(file: "graft", tensor: bias.name))
            }
        }
        guard sampler.epsilon.isFinite, sampler.epsilon >= 0 else {
            throw .graft(
                .invalidKey(
                    file: "graft", key: "sampler epsilon", expected: "zero or more", found: "\(sampler.epsilon)"))
        }
        for (role, adapter) in adapters.sorted(by: { $0.key < $1.key }) {
            try Self.check(adapter, role, configuration)
        }
    }

    private static func check(
        _ adapter: Adapter, _ role: TensorRole, _ configuration: ModelConfiguration?
    ) throws(ModelError) {
        guard adapter.a.shape.count == 2, adapter.b.shape.count == 2 else {
            let odd = adapter.a.shape.count == 2 ? adapter.b : adapter.a
            throw .graft(.wrongShape(tensor: odd.name, expected: [odd.rowCount, odd.rowLength], found: odd.shape))
        }
        let rank = adapter.a.rowCount
        guard rank >= 1 else {
            throw .graft(
                .wrongShape(tensor: adapter.a.name, expected: [1, adapter.a.rowLength], found: adapter.a.shape))
        }
        try expect(adapter.b, [adapter.b.rowCount, rank])
        guard let configuration else { return }
        guard let block = role.block, block < configuration.layers.count,
            let shape = shape(of: role.part, in: configuration)
        else { throw .graft(.unexpectedTensor(file: "graft", tensor: adapter.a.name)) }
        try expect(adapter.a, [rank, shape.columns])
        try expect(adapter.b, [shape.rows, rank])
    }

    private static func expect(_ tensor: Tensor, _ shape: [Int]) throws(ModelError) {
        guard tensor.shape == shape else {
            throw .graft(.wrongShape(tensor: tensor.name, expected: shape, found: tensor.shape))
        }
    }
}
