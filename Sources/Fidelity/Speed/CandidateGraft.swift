import Kernels
public import ModelGraph
import Runtime
import TensorFiles

/// A graft as `verify` looks at it: the decoders that it makes possible, and whether it came through whole.
public struct CandidateGraft: Sendable {
    public let path: String?
    public let graft: Graft

    public init(_ graft: Graft, path: String) {
        self.graft = graft
        self.path = path
    }

    /// The graft inside a candidate's own file; `nil` when there is none.
    init?(inside subject: Subject) throws {
        guard let graft = try Graft.inside(subject.stored) else { return nil }
        self.graft = graft
        path = nil
    }

    /// Linear, quadratic and adaptive decoding, the first two with 1 … k masks.
    func decoders(
        for subject: Subject, _ model: Transformer, capacity: Int, _ options: Verification.Options
    ) throws -> [DecoderChoice] {
        if options.trustsBase || graft.base == nil {
            try graft.checkBase(digest: "", configuration: subject.graph.configuration, trusted: true)
        } else {
            let digest = try subject.stored.sourceDigest(threads: model.pool.threads)
            try graft.checkBase(digest: digest, configuration: subject.graph.configuration)
        }
        let loaded = try LoadedGraft(
            graft, configuration: model.configuration, precision: model.precision, pool: model.pool)
        let costs = try StepCosts.measured(
            model, graft: loaded, shortlist: options.shortlist, cache: options.cache)
        func choice(_ layout: MultiTokenDecoder.Layout, _ masks: Int) -> DecoderChoice {
            DecoderChoice(name: layout.rawValue, masks: masks) {
                let sequence = try TokenSequence(
                    model, capacity: capacity, precision: options.cache, adaptation: loaded)
                return try MultiTokenDecoder(
                    sequence, graft: loaded,
                    options: .init(layout: layout, masks: masks, shortlist: options.shortlist), costs: costs)
            }
        }
        let counts = 1...graft.maskCount
        return counts.map { choice(.linear, $0) } + counts.map { choice(.quadratic, $0) }
            + [choice(.adaptive, graft.maskCount)]
    }

    /// Root mean square of each half of the sampler's first matrix.
    func samplerHalves() throws -> (embedding: Double, hidden: Double) {
        (try Self.rootMeanSquare(graft.sampler.token), try Self.rootMeanSquare(graft.sampler.hidden))
    }

    private static func rootMeanSquare(_ tensor: Tensor) throws -> Double {
        let values = try tensor.floats()
        let energy = values.reduce(0.0) { $0 + Double($1) * Double($1) }
        return (energy / Double(max(1, values.count))).squareRoot()
    }
}
