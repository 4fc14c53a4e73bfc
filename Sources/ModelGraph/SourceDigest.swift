import Dispatch
import Synchronization
public import TensorFiles

/// Which checkpoint a model goes back to: equal for a checkpoint and whatever was converted or quantized from it.
///
/// A file of ours carries the digest of the checkpoint it was made from; for any other, it is computed from the
/// tensors. Defined in formats/gguf-metadata.md.
extension ModelGraph {
    public static let sourceDigestKey = "foretoken.source.digest"

    /// The digest that the files state, without reading a tensor; `nil` when they state none.
    public var statedSourceDigest: String? {
        if let stated = origin?.metadata?[Self.sourceDigestKey]?.string { return stated }
        return origin?.checkpoint?.files.lazy.compactMap { file in
            file.metadata.first { $0.key == Self.sourceDigestKey }?.value
        }.first
    }

    /// 32 hexadecimal digits. Reads every tensor once, unless the files state it.
    public func sourceDigest(threads: Int = 2, progress: ProgressHandler? = nil) throws -> String {
        if let stated = statedSourceDigest { return stated }
        // Factors of the rotary embedding are settings, tensors only in GGUF.
        let roles = self.roles.filter { $0.part.isWeight }
        let total = roles.reduce(0) { $0 + (tensors[$1]?.byteCount ?? 0) }
        let state = Mutex((next: 0, bytes: 0, digests: [Int: TensorDigest](), failure: (any Error)?.none))
        // The largest first, so that threads end together.
        let order = roles.indices.sorted { tensors[roles[$0]]?.byteCount ?? 0 > tensors[roles[$1]]?.byteCount ?? 0 }
        DispatchQueue.concurrentPerform(iterations: max(1, threads)) { _ in
            while let index = state.withLock({ state -> Int? in
                guard state.failure == nil, state.next < order.count else { return nil }
                state.next += 1
                return order[state.next - 1]
            }) {
                guard let tensor = tensors[roles[index]] else { continue }
                do {
                    let digest = try tensor.digest()
                    let bytes = state.withLock { state in
                        state.digests[index] = digest
                        state.bytes += tensor.byteCount
                        return state.bytes
                    }
                    progress?(Progress(stage: "hashing", completed: bytes, total: total, unit: .bytes))
                } catch {
                    state.withLock { $0.failure = $0.failure ?? error }
                }
            }
        }
        let (digests, failure) = state.withLock { ($0.digests, $0.failure) }
        if let failure { throw failure }
        var text = ""
        for (index, role) in roles.enumerated() {
            guard let tensor = tensors[role], let digest = digests[index] else { continue }
            let shape = tensor.shape.map(String.init).joined(separator: ",")
            text += "\(role) \(tensor.type.rawValue) \(shape) \(digest)\n"
        }
        let bytes = Array(text.utf8)
        return unsafe TensorDigest(of: bytes.span.bytes).description
    }
}

extension Tensor {
    /// XXH3-128 of the tensor's bytes in row order.
    public func digest() throws -> TensorDigest {
        var digester = TensorDigester()
        try forEachRun { _, bytes in digester.update(bytes) }
        return digester.digest
    }
}
