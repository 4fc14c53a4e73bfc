public import TensorFiles

/// Mean squares of the inputs of each matrix over a calibration text: formats/importance.md.
public struct ImportanceMatrix: Sendable {
    /// One tensor's statistics. Experts have a row each; other tensors have one.
    public struct Entry: Sendable, Hashable {
        /// experts × columns: Σ x² over the tokens that came through.
        public var sums: [Float]
        /// For each expert, the number of those tokens.
        public var counts: [Float]

        public init(sums: [Float], counts: [Float]) {
            self.sums = sums
            self.counts = counts
        }

        public var columns: Int { counts.isEmpty ? 0 : sums.count / counts.count }

        /// Mean squares of the columns of an expert's input; empty where no token came through.
        public func weights(expert: Int = 0) -> [Float] {
            let expert = min(expert, counts.count - 1)
            guard expert >= 0, counts[expert] > 0 else { return [] }
            return sums[expert * columns..<(expert + 1) * columns].map { $0 / counts[expert] }
        }
    }

    /// By GGUF's name of the weight.
    public var entries: [String: Entry]
    public var datasets: [String]
    public var chunkCount: Int
    public var chunkSize: Int
    /// Divergence in nats for a relative output error of 1, by class of matrix; empty where nobody measured it.
    public var sensitivities: [QuantizationSubject.Class: Double] = [:]
    /// F of `ErrorFeedback`, [rank, columns], under the first of the matrices that share an input; and for the others,
    /// which that is.
    var factors: [String: Tensor] = [:]
    var factorOwners: [String: String] = [:]
    /// Taken from the model's norms, not from activations.
    public internal(set) var isEstimated = false
    /// Where it was read from, for messages.
    public var path: String

    public init(
        entries: [String: Entry] = [:], datasets: [String] = [], chunkCount: Int = 0, chunkSize: Int = 512,
        path: String = ""
    ) {
        self.entries = entries
        self.datasets = datasets
        self.chunkCount = chunkCount
        self.chunkSize = chunkSize
        self.path = path
    }

    public subscript(name: String) -> Entry? { entries[name] }

    /// IM-05: every entry must be about a matrix of the model, with as many columns.
    public func check(against subjects: [QuantizationSubject]) throws(QuantizationError) {
        let known = Dictionary(subjects.map { ($0.name, $0) }) { first, _ in first }
        var differences: [String] = []
        for (name, entry) in entries.sorted(by: { $0.key < $1.key }) {
            // The head of a tied model has an entry of its own under the name that it would have.
            let subject = known[name] ?? (name == "output.weight" ? known["token_embd.weight"] : nil)
            guard let subject else {
                differences.append("the model has no \(name)")
                continue
            }
            if subject.rowLength != entry.columns {
                differences.append("\(name) has \(entry.columns) columns there and \(subject.rowLength) in the model")
            }
        }
        if entries.isEmpty { differences.append("it has no entries") }
        guard differences.isEmpty else {
            let shown = differences.prefix(4)
            let more = differences.count - shown.count
            throw .foreignImportance(file: path, shown + (more > 0 ? ["and \(more) more"] : []))
        }
    }

    /// Types that are written for speed: without weights their search is done in integers, so an estimate of the
    /// weights is left aside.
    private static let quickTypes: Set<ElementType> = [.q4_0, .q5_0, .q8_0]

    /// Weights of the columns of a tensor on its way into `type`; empty where the matrix knows nothing of it.
    public func weights(of name: String, expert: Int = 0, for type: ElementType? = nil) -> [Float] {
        if isEstimated, let type, Self.quickTypes.contains(type) { return [] }
        let entry = entries[name] ?? (name == "token_embd.weight" ? entries["output.weight"] : nil)
        return entry?.weights(expert: expert) ?? []
    }
}
