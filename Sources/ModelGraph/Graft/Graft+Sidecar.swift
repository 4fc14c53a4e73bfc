public import TensorFiles

/// Keys of a graft's GGUF, formats/graft.md section 3.
enum GraftKey {
    static let architecture = "foretoken-graft"
    static let version = "foretoken.graft.version"
    static let masks = "foretoken.graft.masks"
    static let maskVectors = "foretoken.graft.mask_vectors"
    static let rank = "foretoken.graft.rank"
    static let alpha = "foretoken.graft.alpha"
    static let norm = "foretoken.graft.sampler.norm"
    static let epsilon = "foretoken.graft.sampler.epsilon"
    static let residual = "foretoken.graft.sampler.residual"
    static let biases = "foretoken.graft.sampler.biases"
    static let digest = "foretoken.graft.base.digest"
    static let family = "foretoken.graft.base.family"
    /// The base's shape, with where each number belongs.
    static let shape: [(key: String, path: any WritableKeyPath<GraftBase, Int> & Sendable)] = [
        ("foretoken.graft.base.hidden_size", \.hiddenSize),
        ("foretoken.graft.base.vocabulary_size", \.vocabularySize),
        ("foretoken.graft.base.block_count", \.blockCount),
        ("foretoken.graft.base.head_count", \.headCount),
        ("foretoken.graft.base.head_count_kv", \.keyValueHeadCount),
        ("foretoken.graft.base.head_size", \.headSize),
        ("foretoken.graft.base.feed_forward_size", \.feedForwardSize),
    ]
}

extension Graft {
    /// The graft as a GGUF file of its own holds it. The architecture is none that a model has and the type is not
    /// `adapter`, so that a program which knows nothing of grafts refuses the file instead of taking it for a model
    /// or for an ordinary LoRA.
    public func sidecar(name: String? = nil) -> (metadata: GGUFMetadata, tensors: [Tensor]) {
        var metadata: GGUFMetadata = [
            "general.architecture": .string(GraftKey.architecture),
            "general.type": .string("graft"),
            "general.quantization_version": .uint32(2),
        ]
        if let name { metadata["general.name"] = .string(name) }
        metadata[GraftKey.version] = .uint32(1)
        metadata[GraftKey.masks] = .uint32(UInt32(maskCount))
        metadata[GraftKey.maskVectors] = .uint32(UInt32(maskEmbeddings.rowCount))
        metadata[GraftKey.rank] = .uint32(UInt32(rank))
        metadata[GraftKey.alpha] = .float32(Float(alpha))
        metadata[GraftKey.norm] = .string(sampler.norm.rawValue)
        metadata[GraftKey.epsilon] = .float32(Float(sampler.epsilon))
        metadata[GraftKey.residual] = .bool(sampler.residual)
        metadata[GraftKey.biases] = .bool(sampler.firstTail.bias != nil)
        if let base {
            metadata[GraftKey.digest] = .string(base.digest)
            metadata[GraftKey.family] = .string(base.family)
            for (key, path) in GraftKey.shape {
                metadata[key] = .uint32(UInt32(base[keyPath: path]))
            }
        }
        return (metadata, namedParts.map { $0.tensor.named($0.name) })
    }

    /// Every tensor with the name that the sidecar gives it, in the sidecar's order.
    var namedParts: [(name: String, tensor: Tensor)] {
        var parts: [(String, Tensor)] = [
            ("mask_embedding", maskEmbeddings),
            ("sampler.0.token", sampler.token),
            ("sampler.0.hidden", sampler.hidden),
        ]
        func add(_ tail: SamplerTail, _ index: Int) {
            if let bias = tail.bias { parts.append(("sampler.\(index).bias", bias)) }
            parts.append(("sampler.\(index).norm", tail.normWeight))
            if let bias = tail.normBias { parts.append(("sampler.\(index).norm_bias", bias)) }
        }
        add(sampler.firstTail, 0)
        parts.append(("sampler.1.hidden", sampler.second))
        add(sampler.secondTail, 1)
        let names = Dictionary(uniqueKeysWithValues: GraftName.gguf.map { ($0.part, $0.name) })
        for (role, adapter) in adapters.sorted(by: { $0.key < $1.key }) {
            guard let block = role.block, let name = names[role.part] else { continue }
            parts.append(("blk.\(block).\(name).lora_a", adapter.a))
            parts.append(("blk.\(block).\(name).lora_b", adapter.b))
        }
        return parts
    }

    /// The same graft with every tensor passed through `change`, which must keep the shape; tensors come with the
    /// names of the sidecar.
    public func mapTensors(_ change: (Tensor) throws -> Tensor) rethrows -> Graft {
        var graft = self
        var changed: [String: Tensor] = [:]
        for (name, tensor) in namedParts { changed[name] = try change(tensor.named(name)) }
        graft.maskEmbeddings = changed["mask_embedding"] ?? maskEmbeddings
        graft.sampler.token = changed["sampler.0.token"] ?? sampler.token
        graft.sampler.hidden = changed["sampler.0.hidden"] ?? sampler.hidden
        graft.sampler.second = changed["sampler.1.hidden"] ?? sampler.second
        func tail(_ tail: SamplerTail, _ index: Int) -> SamplerTail {
            SamplerTail(
                bias: changed["sampler.\(index).bias"],
                normWeight: changed["sampler.\(index).norm"] ?? tail.normWeight,
                normBias: changed["sampler.\(index).norm_bias"])
        }
        graft.sampler.firstTail = tail(sampler.firstTail, 0)
        graft.sampler.secondTail = tail(sampler.secondTail, 1)
        let names = Dictionary(uniqueKeysWithValues: GraftName.gguf.map { ($0.part, $0.name) })
        for (role, adapter) in adapters {
            guard let block = role.block, let name = names[role.part] else { continue }
            graft.adapters[role] = Adapter(
                a: changed["blk.\(block).\(name).lora_a"] ?? adapter.a,
                b: changed["blk.\(block).\(name).lora_b"] ?? adapter.b)
        }
        return graft
    }
}

extension GGUFFile {
    /// Whether the file says that it is a graft.
    public var isGraft: Bool { metadata["general.architecture"]?.string == GraftKey.architecture }
}

extension Graft {
    /// Reads a graft from a GGUF file of its own. Throws GR-01 to GR-07.
    public init(sidecar: GGUFFile) throws(ModelError) {
        let file = sidecar.file.path
        let metadata = sidecar.metadata
        guard sidecar.isGraft else {
            let found = metadata["general.architecture"]?.string ?? "none"
            throw .graft(.notAGraft(file: file, reason: "its architecture is \(found), not \(GraftKey.architecture)"))
        }
        func value<T>(
            _ key: String, _ expected: String, _ read: (GGUFValue) -> T?
        ) throws(ModelError) -> T {
            guard let value = metadata[key] else { throw .graft(.missingKey(file: file, key: key)) }
            guard let result = read(value) else {
                throw .graft(.invalidKey(file: file, key: key, expected: expected, found: "\(value)"))
            }
            return result
        }
        func count(_ key: String) throws(ModelError) -> Int {
            try value(key, "an integer from 1 to 2^24") { value in
                value.int.flatMap { (1...1 << 24).contains($0) ? $0 : nil }
            }
        }
        func number(_ key: String) throws(ModelError) -> Double {
            try value(key, "a number that is not negative") { value in
                value.double.flatMap { $0.isFinite && $0 >= 0 ? $0 : nil }
            }
        }
        let version = try count(GraftKey.version)
        guard version == 1 else { throw .graft(.unknownVersion(file: file, found: version)) }
        let norm = try value(GraftKey.norm, "layernorm or rmsnorm") { $0.string.flatMap(Norm.init(rawValue:)) }
        let epsilon = try number(GraftKey.epsilon)
        let residual = try value(GraftKey.residual, "a truth value") { $0.bool }
        let masks = try count(GraftKey.masks)

        var pool = TensorPool(
            Dictionary(sidecar.tensors.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first }), file: file)
        let embeddings = try pool.require("mask_embedding")
        func tail(_ index: Int, _ pool: inout TensorPool) throws(ModelError) -> SamplerTail {
            SamplerTail(
                bias: pool.take("sampler.\(index).bias"), normWeight: try pool.require("sampler.\(index).norm"),
                normBias: pool.take("sampler.\(index).norm_bias"))
        }
        let sampler = Sampler(
            norm: norm, epsilon: epsilon, residual: residual, token: try pool.require("sampler.0.token"),
            hidden: try pool.require("sampler.0.hidden"), firstTail: try tail(0, &pool),
            second: try pool.require("sampler.1.hidden"), secondTail: try tail(1, &pool))
        let parts = Dictionary(uniqueKeysWithValues: GraftName.gguf.map { ($0.name, $0.part) })
        var adapters: [TensorRole: Adapter] = [:]
        for name in pool.left.keys.sorted() where name.hasSuffix(".lora_a") {
            guard let (block, rest) = GraftName.block(name, prefix: "blk"),
                let part = parts[String(rest.dropLast(".lora_a".count))]
            else { throw .graft(.unexpectedTensor(file: file, tensor: name)) }
            let a = try pool.require(name)
            adapters[TensorRole(part, block: block)] = Adapter(
                a: a, b: try pool.require(String(name.dropLast()) + "b"))
        }
        try pool.finish()

        var base: GraftBase?
        if let family = metadata[GraftKey.family]?.string {
            var found = GraftBase(
                digest: metadata[GraftKey.digest]?.string ?? "", family: family, hiddenSize: 0, vocabularySize: 0,
                blockCount: 0, headCount: 0, keyValueHeadCount: 0, headSize: 0, feedForwardSize: 0)
            for (key, path) in GraftKey.shape { found[keyPath: path] = try count(key) }
            base = found
        }
        self.init(
            maskCount: masks, maskEmbeddings: embeddings, rank: try count(GraftKey.rank),
            alpha: try number(GraftKey.alpha), adapters: adapters, sampler: sampler, base: base)
        try checkShapes()
        let vectors = try count(GraftKey.maskVectors)
        guard vectors == embeddings.rowCount else {
            throw .graft(
                .invalidKey(
                    file: file, key: GraftKey.maskVectors,
                    expected: "\(embeddings.rowCount), the rows of mask_embedding",
                    found: "\(vectors)"))
        }
        let hasBiases = try value(GraftKey.biases, "a truth value") { $0.bool }
        guard hasBiases == (sampler.firstTail.bias != nil), hasBiases == (sampler.secondTail.bias != nil) else {
            throw .graft(
                .invalidKey(
                    file: file, key: GraftKey.biases, expected: "what the sampler's tensors show",
                    found: "\(hasBiases)"))
        }
    }
}
