/// What a candidate must meet to pass; a limit that is absent is not checked.
public struct FidelityLimits: Sendable, Equatable {
    /// Mean KL divergence, nats a token.
    public var maximumDivergence: Double?
    /// Share of positions with the same first choice, 0 … 1.
    public var minimumTop1: Double?
    /// Best multi-token decoder's wall-clock speedup.
    public var minimumSpeedup: Double?
    /// Bytes of the candidate's files, graft included.
    public var maximumBytes: Int?

    public init(
        maximumDivergence: Double? = nil, minimumTop1: Double? = nil, minimumSpeedup: Double? = nil,
        maximumBytes: Int? = nil
    ) {
        self.maximumDivergence = maximumDivergence
        self.minimumTop1 = minimumTop1
        self.minimumSpeedup = minimumSpeedup
        self.maximumBytes = maximumBytes
    }

    static let bytesName = "bytes"
    static let speedupName = "speedup"

    func results(for candidate: CandidateResult) -> [LimitResult] {
        let name = candidate.model.name
        var results: [LimitResult] = []
        if let limit = maximumDivergence {
            let value = candidate.kl.mean
            results.append(
                .init(candidate: name, name: "mean KL", limit: limit, value: value, passed: value <= limit))
        }
        if let limit = minimumTop1 {
            let value = candidate.top1Agreement.value
            results.append(
                .init(candidate: name, name: "top-1 agreement", limit: limit, value: value, passed: value >= limit))
        }
        if let limit = minimumSpeedup {
            let value = candidate.decoders.filter { $0.category == nil && $0.masks > 0 }.map(\.speedup).max()
            results.append(
                .init(
                    candidate: name, name: Self.speedupName, limit: limit, value: value, passed: value ?? 0 >= limit))
        }
        if let limit = maximumBytes {
            let value = candidate.model.bytes
            results.append(
                .init(
                    candidate: name, name: Self.bytesName, limit: Double(limit), value: Double(value),
                    passed: value <= limit
                ))
        }
        return results
    }
}
