public import TensorFiles

extension ModelGraph {
    /// The metadata by which a GGUF reader knows how to compute this model: `general.architecture` and the keys under
    /// it. Keys and their order follow llama.cpp's converter.
    public func ggufSettings(as architecture: Architecture) -> GGUFMetadata {
        var writer = SettingWriter(self, architecture, .gguf)
        let name = architecture.gguf.architecture
        var metadata = GGUFMetadata()
        func set(_ key: String, _ value: GGUFValue) {
            metadata[key.replacing("{arch}", with: name)] = value
        }
        func write(_ field: String, isReal: Bool) {
            guard let rule = architecture.fields[field] else { return }
            guard let (names, value) = writer.written(rule, value: writer.value(field)) else { return }
            for name in names { set(name, isReal ? .float32(Float(value)) : .uint32(UInt32(clamping: Int(value)))) }
        }
        metadata["general.architecture"] = .string(name)
        for field in FieldName.beforeRotary { write(field.rawValue, isReal: field.isReal) }
        for (rule, rotary) in zip(architecture.rotaries, configuration.rotaries) {
            if rule.scaledInGGUF == true {
                for (key, value) in scaling(rotary) { set(key, value) }
            }
            if let (names, value) = writer.written(rule.base, value: rotary.base) {
                for name in names { set(name, .float32(Float(value))) }
            }
        }
        for field in FieldName.allCases where !FieldName.beforeRotary.contains(field) {
            write(field.rawValue, isReal: field.isReal)
        }
        for field in architecture.fields.keys.sorted() where FieldName(rawValue: field) == nil {
            write(field, isReal: false)
        }
        let layers = configuration.layers
        if let rule = architecture.layers?.sliding, layers.contains(where: { $0.slidingWindow != nil }),
            let list = writer.exceptionalFlags(rule, layers.map { $0.slidingWindow != nil })
        {
            set(list.name, .array(GGUFArray(layers.map { $0.slidingWindow != nil })))
        }
        if let rule = architecture.layers?.rotary,
            let list = writer.exceptionalFlags(rule, layers.map { $0.rotary != nil })
        {
            set(list.name, .array(GGUFArray(layers.map { $0.rotary != nil })))
        }
        return metadata
    }

    private func scaling(_ rotary: ModelConfiguration.Rotary) -> [(key: String, value: GGUFValue)] {
        func key(_ name: String) -> String { "{arch}.rope.scaling.\(name)" }
        switch rotary.scaling {
        case .none, .llama3, .factors: return []
        case .linear(let factor):
            return [(key("type"), .string("linear")), (key("factor"), .float32(Float(factor)))]
        case .longRope(_, _, let originalContext):
            return [
                (key("type"), .string("longrope")),
                (key("original_context_length"), .uint32(UInt32(clamping: originalContext))),
                (key("attn_factor"), .float32(Float(rotary.magnitude))),
            ]
        case .yarn(let factor, let originalContext, let fast, let slow, let extrapolation):
            var keys: [(String, GGUFValue)] = [
                (key("type"), .string("yarn")), (key("factor"), .float32(Float(factor))),
                (key("original_context_length"), .uint32(UInt32(clamping: originalContext))),
            ]
            if extrapolation != 1 { keys.append((key("yarn_ext_factor"), .float32(Float(extrapolation)))) }
            let magnitude = rotary.magnitude / Architecture.yarnMagnitude(factor: factor)
            if abs(magnitude - 1) > 1e-6 { keys.append((key("yarn_attn_factor"), .float32(Float(magnitude)))) }
            if fast != 32 { keys.append((key("yarn_beta_fast"), .float32(Float(fast)))) }
            if slow != 1 { keys.append((key("yarn_beta_slow"), .float32(Float(slow)))) }
            return keys
        }
    }

    /// The tensors in which a GGUF keeps a rotary scaling, [dimension / 2] divisors in F32 each.
    public func ggufRotaryTensors(as architecture: Architecture) -> [(role: TensorRole, factors: [Float])] {
        guard let rotary = configuration.rotaries.first else { return [] }
        switch rotary.scaling {
        case .llama3(let factor, let low, let high, let originalContext):
            return [
                (
                    TensorRole(.ropeFrequencies),
                    Self.llama3Divisors(
                        rotary, factor: Float(factor), low: Float(low), high: Float(high),
                        context: Float(originalContext))
                )
            ]
        case .factors(let values): return [(TensorRole(.ropeFrequencies), values.map { Float($0) })]
        case .longRope(let short, let long, _):
            return [
                (TensorRole(.ropeFactorsLong), long.map { Float($0) }),
                (TensorRole(.ropeFactorsShort), short.map { Float($0) }),
            ]
        default: return []
        }
    }

    /// Llama 3.1's divisors in single precision, step by step as llama.cpp's converter computes them.
    static func llama3Divisors(
        _ rotary: ModelConfiguration.Rotary, factor: Float, low: Float, high: Float, context: Float
    ) -> [Float] {
        (0..<rotary.dimension / 2).map { pair in
            let exponent = Float(2 * pair) / Float(rotary.dimension)
            let frequency = 1 / Float(power(rotary.base, Double(exponent)))
            let wavelength = Float(2 * Double.pi) / frequency
            if wavelength < context / high { return 1 }
            if wavelength > context / low { return factor }
            let smooth = (context / wavelength - low) / (high - low)
            return 1 / ((1 - smooth) / factor + smooth)
        }
    }
}

extension FieldName {
    /// llama.cpp's converter states these before the rotary embedding.
    static let beforeRotary: [FieldName] = [
        .blockCount, .contextLength, .hiddenSize, .feedForwardSize, .headCount, .keyValueHeadCount,
    ]
}
