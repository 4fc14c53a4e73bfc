public import TensorFiles

extension Graft {
    /// Reads a graft from the tensors and the string metadata of a safetensors file, formats/graft.md section 2.
    /// The file does not say which model it is for. Throws GR-01, GR-03 to GR-07.
    public init(weights: [String: Tensor], metadata: [String: String], file: String) throws(ModelError) {
        func text(_ key: String) throws(ModelError) -> String {
            guard let value = metadata[key] else { throw .graft(.missingKey(file: file, key: key)) }
            return value
        }
        func integer(_ key: String) throws(ModelError) -> Int {
            let value = try text(key)
            guard let number = GraftName.number(value[...]), number > 0 else {
                throw .graft(.invalidKey(file: file, key: key, expected: "a positive integer", found: value))
            }
            return number
        }
        func number(_ key: String, _ value: String) throws(ModelError) -> Double {
            guard let number = Double(value), number.isFinite, number >= 0 else {
                throw .graft(.invalidKey(file: file, key: key, expected: "a number", found: value))
            }
            return number
        }
        let normName = try text("sampler_norm")
        guard let norm = Norm(rawValue: normName) else {
            throw .graft(
                .invalidKey(file: file, key: "sampler_norm", expected: "layernorm or rmsnorm", found: normName))
        }
        let residualName = metadata["sampler_residual"] ?? "false"
        guard residualName == "true" || residualName == "false" else {
            throw .graft(
                .invalidKey(file: file, key: "sampler_residual", expected: "true or false", found: residualName))
        }
        let epsilon = try number("sampler_epsilon", metadata["sampler_epsilon"] ?? "1e-5")

        var pool = TensorPool(weights, file: file)
        let masks = try pool.require("mask_embedding")
        let sampler = try Self.sampler(&pool, norm: norm, epsilon: epsilon, residual: residualName == "true")
        let adapters = try Self.adapters(&pool, file: file)
        try pool.finish()
        self.init(
            maskCount: try integer("masks"), maskEmbeddings: masks, rank: try integer("rank"),
            alpha: try number("alpha", try text("alpha")), adapters: adapters, sampler: sampler)
        try checkShapes()
    }

    private static func sampler(
        _ pool: inout TensorPool, norm: Norm, epsilon: Double, residual: Bool
    ) throws(ModelError) -> Sampler {
        let first = try pool.require("sampler.linear1.weight")
        let (token, hidden) = try halves(ofFirst: first)
        func tail(_ index: Int, _ pool: inout TensorPool) throws(ModelError) -> SamplerTail {
            SamplerTail(
                bias: pool.take("sampler.linear\(index).bias"),
                normWeight: try pool.require("sampler.norm\(index).weight"),
                normBias: pool.take("sampler.norm\(index).bias"))
        }
        return Sampler(
            norm: norm, epsilon: epsilon, residual: residual, token: token, hidden: hidden,
            firstTail: try tail(1, &pool), second: try pool.require("sampler.linear2.weight"),
            secondTail: try tail(2, &pool))
    }

    /// The two halves of the sampler's first matrix [d, 2d]: what multiplies the embedding, what multiplies z.
    static func halves(ofFirst matrix: Tensor) throws(ModelError) -> (token: Tensor, hidden: Tensor) {
        let rows = matrix.rowCount
        guard matrix.shape.count == 2, matrix.rowLength == 2 * rows else {
            throw .graft(.wrongShape(tensor: matrix.name, expected: [rows, 2 * rows], found: matrix.shape))
        }
        guard let token = matrix.columns(0..<rows, name: matrix.name + "[embedding]"),
            let hidden = matrix.columns(rows..<2 * rows, name: matrix.name + "[hidden]")
        else {
            throw .graft(
                .unsuitableType(
                    tensor: matrix.name, type: matrix.type.rawValue,
                    reason: "its blocks cross the border between the embedding's half and the hidden row's"))
        }
        return (token, hidden)
    }

    private static func adapters(
        _ pool: inout TensorPool, file: String
    ) throws(ModelError) -> [TensorRole: Adapter] {
        let parts = Dictionary(uniqueKeysWithValues: GraftName.hub.map { ($0.name, $0.part) })
        var adapters: [TensorRole: Adapter] = [:]
        for name in pool.left.keys.sorted() where name.hasSuffix(".lora_a") {
            guard let (block, rest) = GraftName.block(name, prefix: "layers"),
                let part = parts[String(rest.dropLast(".lora_a".count))]
            else { throw .graft(.unexpectedTensor(file: file, tensor: name)) }
            let a = try pool.require(name)
            let b = try pool.require(String(name.dropLast()) + "b")
            adapters[TensorRole(part, block: block)] = Adapter(a: a, b: b)
        }
        return adapters
    }

    /// The graft as a safetensors file holds it: what `init(weights:metadata:file:)` reads back. The halves of the
    /// sampler's first matrix are joined; both must be of one type.
    public func weights() throws(ModelError) -> (tensors: [Tensor], metadata: [String: String]) {
        var tensors = [maskEmbeddings.named("mask_embedding")]
        let (token, hidden) = (sampler.token, sampler.hidden)
        guard token.type == hidden.type,
            let first = Tensor(
                name: "sampler.linear1.weight", shape: [token.rowCount, token.rowLength + hidden.rowLength],
                type: token.type, source: SideBySideSource(left: token, right: hidden))
        else {
            throw .graft(
                .unsuitableType(
                    tensor: hidden.name, type: hidden.type.rawValue,
                    reason: "both halves of the sampler's first matrix must be of one type"))
        }
        tensors.append(first)
        tensors.append(sampler.second.named("sampler.linear2.weight"))
        for (index, tail) in [sampler.firstTail, sampler.secondTail].enumerated() {
            tensors.append(tail.normWeight.named("sampler.norm\(index + 1).weight"))
            if let bias = tail.bias { tensors.append(bias.named("sampler.linear\(index + 1).bias")) }
            if let bias = tail.normBias { tensors.append(bias.named("sampler.norm\(index + 1).bias")) }
        }
        let names = Dictionary(uniqueKeysWithValues: GraftName.hub.map { ($0.part, $0.name) })
        for (role, adapter) in adapters.sorted(by: { $0.key < $1.key }) {
            guard let block = role.block, let name = names[role.part] else { continue }
            tensors.append(adapter.a.named("layers.\(block).\(name).lora_a"))
            tensors.append(adapter.b.named("layers.\(block).\(name).lora_b"))
        }
        return (
            tensors,
            [
                "masks": "\(maskCount)", "rank": "\(rank)", "alpha": "\(alpha)",
                "sampler_norm": sampler.norm.rawValue,
                "sampler_residual": "\(sampler.residual)", "sampler_epsilon": "\(sampler.epsilon)",
            ]
        )
    }
}

extension Tensor {
    func named(_ name: String) -> Tensor {
        var tensor = self
        tensor.name = name
        return tensor
    }
}
