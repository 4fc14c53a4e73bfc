import TensorFiles

extension Graft {
    /// The graft in the order and for the shapes of `configuration`: rows of the query's and key's B permuted where
    /// the model stores those rows interleaved. Throws GR-07 when a shape does not fit.
    public func bound(to configuration: ModelConfiguration) throws(ModelError) -> Graft {
        try checkShapes(configuration: configuration)
        guard configuration.rotaryOrder == .interleaved else { return self }
        return permutingRotaryRows { Graft.hubRow(ofInterleavedRow: $0, headSize: configuration.headSize) }
    }

    /// The way back from `bound(to:)`: a graft whose B rows are in the model's order, in the Hub's.
    public func inHubOrder(from configuration: ModelConfiguration) -> Graft {
        guard configuration.rotaryOrder == .interleaved else { return self }
        return permutingRotaryRows { Graft.interleavedRow(ofHubRow: $0, headSize: configuration.headSize) }
    }

    private func permutingRotaryRows(_ order: @escaping @Sendable (Int) -> Int) -> Graft {
        var graft = self
        for (role, adapter) in adapters where role.part == .query || role.part == .key {
            // The shape is the same, so the tensor exists.
            if let b = adapter.b.reorderedRows(order) { graft.adapters[role]?.b = b }
        }
        return graft
    }

    /// Where the Hub keeps the row that a model with interleaved rotary rows has at `row`: within a head of size s,
    /// row 2i + j was row j · s/2 + i.
    static func hubRow(ofInterleavedRow row: Int, headSize: Int) -> Int {
        let (head, inner) = row.quotientAndRemainder(dividingBy: headSize)
        return head * headSize + inner % 2 * (headSize / 2) + inner / 2
    }

    static func interleavedRow(ofHubRow row: Int, headSize: Int) -> Int {
        let (head, inner) = row.quotientAndRemainder(dividingBy: headSize)
        let half = headSize / 2
        return head * headSize + inner % half * 2 + inner / half
    }

    /// Refuses a model that the graft was not made for, naming all that differs (GR-08). With `trusted` the digest
    /// and the family's name are not compared, the shape always is.
    public func checkBase(
        digest: String, configuration: ModelConfiguration, trusted: Bool = false
    ) throws(ModelError) {
        let model = GraftBase(digest: digest, configuration: configuration)
        guard let base else {
            guard trusted else {
                throw .graft(.wrongBase(differences: ["the graft does not say which model it was made for"]))
            }
            return try checkShapes(configuration: configuration)
        }
        let differences = base.differences(from: model, trusted: trusted)
        guard differences.isEmpty else { throw .graft(.wrongBase(differences: differences)) }
    }
}
