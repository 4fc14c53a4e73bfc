extension Architecture {
    /// The configuration that `settings` give a model of this family, and everything that is wrong with them.
    ///
    /// For a GGUF, `tiedEmbeddings` and scalings that lie in tensors are completed when the tensors are known.
    func configuration(from settings: Settings) -> (ModelConfiguration?, [ModelProblem]) {
        var reader = FieldReader(self, settings)
        checkExpected(settings, &reader)
        for constraint in constraints ?? [] {
            if reader.evaluate(constraint.that) == 0 {
                let values = constraint.that.names.sorted().map {
                    "\($0) = \(reader.value($0).map { "\($0)" } ?? "?")"
                }
                reader.report(
                    .constraint, constraint.that.description,
                    constraint.message + "; " + values.joined(separator: ", "))
            }
        }
        guard let blockCount = reader.integer(.blockCount), let headSize = reader.integer(.headSize),
            let rotaryDimension = reader.integer(.rotaryDimension)
        else {
            // Ask for the rest all the same, so that every problem is told at once.
            for field in FieldName.allCases { _ = reader.value(field) }
            return (nil, reader.problems)
        }
        let context = reader.integer(.contextLength)
        let layers = self.layers(&reader, count: blockCount)
        let rotaries = self.rotaries.map { rotary($0, dimension: rotaryDimension, context: context ?? 1, &reader) }
        guard let vocabularySize = reader.integer(.vocabularySize), let hiddenSize = reader.integer(.hiddenSize),
            let feedForwardSize = reader.integer(.feedForwardSize), let headCount = reader.integer(.headCount),
            let keyValueHeadCount = reader.integer(.keyValueHeadCount), let context,
            let normEpsilon = reader.value(.normEpsilon), let attentionScale = reader.value(.attentionScale),
            let embeddingScale = reader.value(.embeddingScale), let residualScale = reader.value(.residualScale),
            let logitScale = reader.value(.logitScale), let tied = reader.value(.tiedEmbeddings)
        else {
            for field in FieldName.allCases { _ = reader.value(field) }
            return (nil, reader.problems)
        }
        let configuration = ModelConfiguration(
            family: family, vocabularySize: vocabularySize, hiddenSize: hiddenSize, feedForwardSize: feedForwardSize,
            headCount: headCount, keyValueHeadCount: keyValueHeadCount, headSize: headSize, contextLength: context,
            layers: layers, rotaries: rotaries,
            rotaryOrder: settings.dialect == .gguf ? gguf.rotaryOrder : .halves, normEpsilon: normEpsilon,
            attentionNorm: blocks.attentionNorm, postAttentionNorm: blocks.postAttentionNorm,
            feedForwardNorm: blocks.feedForwardNorm, postFeedForwardNorm: blocks.postFeedForwardNorm,
            queryKeyNorm: blocks.queryKeyNorm, activation: blocks.activation, embeddingScale: embeddingScale,
            residualScale: residualScale, attentionScale: attentionScale,
            attentionSoftCap: reader.value(.attentionSoftCap), logitScale: logitScale,
            finalSoftCap: reader.value(.finalSoftCap), tiedEmbeddings: tied != 0)
        return (reader.problems.isEmpty ? configuration : nil, reader.problems)
    }

    private func checkExpected(_ settings: Settings, _ reader: inout FieldReader) {
        let expected = settings.dialect == .hub ? hub.expected : gguf.expected
        for (name, allowed) in (expected ?? [:]).sorted(by: { $0.key < $1.key }) {
            guard let found = settings[name], !allowed.contains(found) else { continue }
            let list = allowed.map(\.description).joined(separator: " or ")
            reader.report(.settingUnsupported, name, "\(found) is not supported in family \(family), only \(list)")
        }
    }

    private func layers(_ reader: inout FieldReader, count: Int) -> [ModelConfiguration.Layer] {
        let window = reader.integer(.slidingWindow)
        let all = [Bool](repeating: false, count: count)
        var sliding = all
        if window != nil, let rule = layers?.sliding {
            sliding = reader.flags(rule, layers: count, named: "sliding") ?? all
        }
        var turning = [Bool](repeating: true, count: count)
        if let rule = layers?.rotary {
            turning = reader.flags(rule, layers: count, named: "rotary") ?? turning
        }
        // A model without a window still has local layers where the second rotary embedding applies.
        var local = sliding
        if rotaries.count > 1, window == nil, let rule = layers?.sliding {
            local = reader.flags(rule, layers: count, named: "sliding") ?? all
        }
        return (0..<count).map { layer in
            .init(
                slidingWindow: sliding[layer] ? window : nil,
                rotary: turning[layer] ? (local[layer] && rotaries.count > 1 ? 1 : 0) : nil)
        }
    }
}
