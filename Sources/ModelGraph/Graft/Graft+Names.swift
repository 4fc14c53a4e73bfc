import TensorFiles

/// What the parts of a graft are called in files: the same tree of names in two spellings.
enum GraftName {
    /// The Hub's names of the linears inside `layers.N`, whatever the family calls them.
    static let hub: [(part: TensorRole.Part, name: String)] = [
        (.query, "self_attn.q_proj"), (.key, "self_attn.k_proj"), (.value, "self_attn.v_proj"),
        (.attentionOutput, "self_attn.o_proj"), (.gate, "mlp.gate_proj"), (.up, "mlp.up_proj"),
        (.down, "mlp.down_proj"),
    ]

    /// GGUF's names of the linears inside `blk.N`.
    static let gguf: [(part: TensorRole.Part, name: String)] = [
        (.query, "attn_q"), (.key, "attn_k"), (.value, "attn_v"), (.attentionOutput, "attn_output"),
        (.gate, "ffn_gate"), (.up, "ffn_up"), (.down, "ffn_down"),
    ]

    /// `prefix.N.rest` taken apart.
    static func block(_ name: String, prefix: String) -> (index: Int, rest: Substring)? {
        guard name.hasPrefix(prefix + ".") else { return nil }
        let tail = name.dropFirst(prefix.count + 1)
        guard let dot = tail.firstIndex(of: "."), let index = number(tail[..<dot]) else { return nil }
        return (index, tail[tail.index(after: dot)...])
    }

    /// A number as files write it: digits only, no leading zero, not absurd.
    static func number(_ text: Substring) -> Int? {
        guard !text.isEmpty, text.allSatisfy({ $0.isASCII && $0.isNumber }), text == "0" || text.first != "0",
            let value = Int(text), value < 1 << 20
        else { return nil }
        return value
    }
}

/// The tensors of a file, each to be taken once; what is left over does not belong there.
struct TensorPool {
    let file: String
    private(set) var left: [String: Tensor]

    init(_ tensors: [String: Tensor], file: String) {
        self.file = file
        left = tensors
    }

    mutating func take(_ name: String) -> Tensor? { left.removeValue(forKey: name) }

    mutating func require(_ name: String) throws(ModelError) -> Tensor {
        guard let tensor = take(name) else { throw .graft(.missingTensor(file: file, tensor: name)) }
        return tensor
    }

    func finish() throws(ModelError) {
        if let name = left.keys.min() { throw .graft(.unexpectedTensor(file: file, tensor: name)) }
    }
}
