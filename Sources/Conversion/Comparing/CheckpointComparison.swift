internal import Dispatch
public import Kernels
internal import ModelGraph
internal import Synchronization
public import TensorFiles

/// The tensors of one model against those of another: the same names, or the same roles where one speaks the Hub's
/// dialect and the other GGUF's, or is quantized in a layout of the Hub that the other has not.
public struct CheckpointComparison: Sendable {
    public struct Row: Sendable {
        public let name: String
        public let reference: ElementType
        public let candidate: ElementType
        public let difference: TensorDifference
    }

    /// How tensors were paired.
    public enum Pairing: String, Sendable, Codable { case names, roles }

    public let pairing: Pairing
    /// In the order of the reference.
    public let rows: [Row]
    /// What cannot be compared: tensors that one of the two lacks, and different shapes.
    public let problems: [Problem]

    public var areEqual: Bool {
        problems.isEmpty
            && rows.allSatisfy { $0.difference.relativeError == 0 && $0.difference.mismatchedNumbers == 0 }
    }

    private struct Pair: Sendable {
        let name: String
        let reference: Tensor
        let candidate: Tensor
    }

    /// Reads both models whole. The result does not depend on the number of threads.
    public init(
        reference: Checkpoint, candidate: Checkpoint, threads: Int = 1, progress: ProgressHandler? = nil
    ) throws {
        var problems: [Problem] = []
        var named = (
            reference: reference.tensors.map { ($0.name, $0) }, candidate: candidate.tensors.map { ($0.name, $0) }
        )
        let names = (Set(named.reference.map(\.0)), Set(named.candidate.map(\.0)))
        let otherwiseNamed = names.0.isDisjoint(with: names.1) || reference.format != candidate.format
        let otherwiseStored = names.0 != names.1 && (Self.isPacked(reference) || Self.isPacked(candidate))
        pairing = otherwiseNamed || otherwiseStored ? .roles : .names
        if pairing == .roles {
            named = (try Self.byRole(reference), try Self.byRole(candidate))
        }
        let candidates = Dictionary(named.candidate, uniquingKeysWith: { first, _ in first })
        var pairs: [Pair] = []
        for (name, tensor) in named.reference {
            guard let other = candidates[name] else {
                problems.append(
                    Problem(.comparedMissing, file: candidate.path, tensor: name, "is in \(reference.path) only"))
                continue
            }
            guard other.shape == tensor.shape else {
                problems.append(
                    Problem(
                        .comparedShape, file: candidate.path, tensor: name,
                        "has shape \(other.shape), in \(reference.path) it is \(tensor.shape)"))
                continue
            }
            pairs.append(Pair(name: name, reference: tensor, candidate: other))
        }
        let expected = Set(named.reference.map(\.0))
        for (name, _) in named.candidate where !expected.contains(name) {
            problems.append(
                Problem(.comparedExtra, file: candidate.path, tensor: name, "is not in \(reference.path)"))
        }
        self.problems = problems
        rows = try Self.measure(pairs, threads: threads, progress)
    }

    /// Whether some of the weights are modules of a quantized layout.
    private static func isPacked(_ checkpoint: Checkpoint) -> Bool {
        guard checkpoint.format == .safetensors, let graph = try? ModelGraph.open(checkpoint) else { return false }
        return graph.expandedCount > 0
    }

    /// Tensors in the form that both dialects share, by what they do.
    private static func byRole(_ checkpoint: Checkpoint) throws -> [(String, Tensor)] {
        let graph = try ModelGraph.open(checkpoint).canonical()
        return graph.tensors.map { role, tensor in
            (role.block.map { "block \($0) \(role.part.rawValue)" } ?? role.part.rawValue, tensor)
        }.sorted { $0.0 < $1.0 }
    }

    private static func measure(
        _ pairs: [Pair], threads: Int, _ progress: ProgressHandler?
    ) throws -> [Row] {
        let results = Mutex([Result<Row, any Error>?](repeating: nil, count: pairs.count))
        let next = Atomic(0)
        let done = Atomic(0)
        let total = pairs.reduce(0) { $0 + $1.reference.byteCount }
        DispatchQueue.concurrentPerform(iterations: max(1, min(threads, pairs.count))) { _ in
            while true {
                let index = next.wrappingAdd(1, ordering: .relaxed).oldValue
                guard index < pairs.count else { return }
                let pair = pairs[index]
                let result = Result { () throws -> Row in
                    let difference = try TensorDifference(reference: pair.reference, candidate: pair.candidate)
                    return Row(
                        name: pair.name, reference: pair.reference.type, candidate: pair.candidate.type,
                        difference: difference)
                }
                results.withLock { $0[index] = result }
                let sum = done.wrappingAdd(pair.reference.byteCount, ordering: .relaxed).newValue
                progress?(Progress(stage: "compare", completed: sum, total: total, unit: .bytes))
            }
        }
        return try results.withLock { $0 }.compactMap { try $0?.get() }
    }
}
