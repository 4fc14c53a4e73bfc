import Foundation

extension Architecture {
    /// One rotary embedding and its scaling.
    func rotary(
        _ rule: RotaryRule, dimension: Int, context: Int, _ reader: inout FieldReader
    ) -> ModelConfiguration.Rotary {
        let base = reader.value(of: rule.base, named: "rotary base") ?? 10_000
        if !(base > 0 && base.isFinite) {
            reader.report(.settingRange, "rotary base", "\(base) is not a positive number")
        }
        var rotary = ModelConfiguration.Rotary(base: base, dimension: dimension)
        switch reader.settings.dialect {
        case .hub: scaleFromHub(rule, &rotary, context: context, &reader)
        case .gguf: if rule.scaledInGGUF == true { scaleFromGGUF(&rotary, context: context, &reader) }
        }
        return rotary
    }

    private func scaleFromHub(
        _ rule: RotaryRule, _ rotary: inout ModelConfiguration.Rotary, context: Int, _ reader: inout FieldReader
    ) {
        let settings = reader.settings
        guard let (name, value) = settings.first(of: rule.scaling ?? []), case .object(let members) = value else {
            return
        }
        func text(_ key: String) -> String? { members[key]?.stringValue }
        var kind = text("rope_type") ?? text("type") ?? "default"
        kind = rule.scalingAliases?[kind] ?? kind
        func number(_ key: String, default fallback: Double? = nil) -> Double? {
            guard let member = members[key], member != .null else {
                if fallback == nil {
                    reader.report(.rotaryScaling, "\(name).\(key)", "required by \(kind), but absent")
                }
                return fallback
            }
            guard let number = member.numberValue, number.isFinite, number > 0 else {
                reader.report(.rotaryScaling, "\(name).\(key)", "expected a positive number, found \(member)")
                return nil
            }
            return number
        }
        // transformers lets a top-level value win for these types, and falls back to the context length.
        func originalContext() -> Int {
            let found =
                settings["original_max_position_embeddings"]?.numberValue
                ?? members["original_max_position_embeddings"]?.numberValue ?? Double(context)
            guard found >= 1, found <= 1e12 else {
                reader.report(.rotaryScaling, "original_max_position_embeddings", "\(found) is not a length")
                return 1
            }
            return Int(found)
        }
        switch kind {
        case "default", "none": break
        case "linear":
            if let factor = number("factor") { rotary.scaling = .linear(factor: factor) }
        case "llama3":
            guard let factor = number("factor"), let low = number("low_freq_factor"),
                let high = number("high_freq_factor")
            else { return }
            rotary.scaling = .llama3(
                factor: factor, lowFactor: low, highFactor: high, originalContext: originalContext())
        case "longrope":
            let original = originalContext()
            guard let short = factors("short_factor", in: members, name, rotary.dimension, &reader),
                let long = factors("long_factor", in: members, name, rotary.dimension, &reader),
                let factor = number("factor", default: Double(context) / Double(original))
            else { return }
            rotary.scaling = .longRope(short: short, long: long, originalContext: original)
            rotary.magnitude =
                members["attention_factor"]?.numberValue
                ?? Self.longRopeMagnitude(factor: factor, originalContext: original)
        case "yarn":
            let original = originalContext()
            guard let factor = number("factor", default: Double(context) / Double(original)),
                let fast = number("beta_fast", default: 32), let slow = number("beta_slow", default: 1)
            else { return }
            rotary.scaling = .yarn(
                factor: factor, originalContext: original, betaFast: fast, betaSlow: slow, extrapolation: 1)
            rotary.magnitude = yarnMagnitude(members, factor: factor)
        default:
            reader.report(
                .rotaryScaling, "\(name).rope_type",
                "\(kind) is not supported, only default, linear, llama3, longrope and yarn")
        }
    }

    static func longRopeMagnitude(factor: Double, originalContext: Int) -> Double {
        factor <= 1 || originalContext < 2 ? 1 : (1 + log(factor) / log(Double(originalContext))).squareRoot()
    }

    static func yarnMagnitude(factor: Double, weight: Double = 1) -> Double {
        factor <= 1 ? 1 : 0.1 * weight * log(factor) + 1
    }

    private func yarnMagnitude(_ members: [String: Setting], factor: Double) -> Double {
        if let given = members["attention_factor"]?.numberValue { return given }
        if let part = members["mscale"]?.numberValue, let all = members["mscale_all_dim"]?.numberValue, part != 0,
            all != 0
        {
            return Self.yarnMagnitude(factor: factor, weight: part) / Self.yarnMagnitude(factor: factor, weight: all)
        }
        return Self.yarnMagnitude(factor: factor)
    }

    private func factors(
        _ key: String, in members: [String: Setting], _ name: String, _ dimension: Int, _ reader: inout FieldReader
    ) -> [Double]? {
        let values = members[key]?.arrayValue?.compactMap(\.numberValue) ?? []
        guard values.count == dimension / 2, values.allSatisfy({ $0.isFinite && $0 > 0 }) else {
            reader.report(
                .rotaryScaling, "\(name).\(key)", "expected \(dimension / 2) positive numbers, found \(values.count)")
            return nil
        }
        return values
    }

    /// `{arch}.rope.scaling.*`; factors that lie in tensors are filled in once the tensors are known.
    private func scaleFromGGUF(
        _ rotary: inout ModelConfiguration.Rotary, context: Int, _ reader: inout FieldReader
    ) {
        let settings = reader.settings
        func number(_ key: String) -> Double? { settings["{arch}.rope.scaling.\(key)"]?.numberValue }
        // Older converters wrote `scale_linear` alone.
        let factor = number("factor") ?? settings["{arch}.rope.scale_linear"]?.numberValue ?? 1
        let original = number("original_context_length").map { Int($0.clamped(to: 1...1e12)) } ?? context
        guard factor.isFinite, factor > 0 else {
            reader.report(.rotaryScaling, "{arch}.rope.scaling.factor", "\(factor) is not a positive number")
            return
        }
        switch settings["{arch}.rope.scaling.type"]?.stringValue {
        case "yarn":
            rotary.scaling = .yarn(
                factor: factor, originalContext: original, betaFast: number("yarn_beta_fast") ?? 32,
                betaSlow: number("yarn_beta_slow") ?? 1, extrapolation: number("yarn_ext_factor") ?? 1)
            // llama.cpp multiplies YaRN's own magnitude by what the file states.
            rotary.magnitude =
                (number("yarn_attn_factor") ?? number("attn_factor") ?? 1) * Self.yarnMagnitude(factor: factor)
        case "none": break
        case "longrope": rotary.magnitude = number("attn_factor") ?? 1
        case "linear", nil:
            if factor != 1 { rotary.scaling = .linear(factor: factor) }
            rotary.magnitude = number("attn_factor") ?? 1
        case let other?:
            reader.report(.rotaryScaling, "{arch}.rope.scaling.type", "\(other) is not supported")
        }
    }
}

extension Comparable {
    func clamped(to range: ClosedRange<Self>) -> Self { min(max(self, range.lowerBound), range.upperBound) }
}
