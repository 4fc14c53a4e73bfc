/// Which of several candidates have a reason to exist, and which to ship.
enum Frontier {
    /// Names of those that no other beats: none is as small and as near to the reference, and better in one of both.
    static func names(_ candidates: [CandidateResult]) -> [String] {
        candidates.filter { candidate in
            !candidates.contains { other in
                let (size, loss) = (candidate.model.bytes, candidate.kl.mean)
                return other.model.bytes <= size && other.kl.mean <= loss
                    && (other.model.bytes < size || other.kl.mean < loss)
            }
        }.map(\.model.name)
    }

    /// Under a limit of quality the smallest that keeps it; under one of size alone the nearest to the reference.
    ///
    /// - Parameter candidates: those that meet every limit.
    /// - Returns: `nil` when nothing says what is wanted.
    static func choice(_ candidates: [CandidateResult], limits: FidelityLimits) -> CandidateResult? {
        if limits.maximumDivergence != nil || limits.minimumTop1 != nil {
            return candidates.min { ($0.model.bytes, $0.kl.mean) < ($1.model.bytes, $1.kl.mean) }
        }
        if limits.maximumBytes != nil {
            return candidates.min { ($0.kl.mean, $0.model.bytes) < ($1.kl.mean, $1.model.bytes) }
        }
        guard limits.minimumSpeedup != nil else { return nil }
        return candidates.max { fastest($0) < fastest($1) }
    }

    private static func fastest(_ candidate: CandidateResult) -> Double {
        candidate.decoders.filter { $0.category == nil }.map(\.tokensPerSecond).max() ?? 0
    }
}
