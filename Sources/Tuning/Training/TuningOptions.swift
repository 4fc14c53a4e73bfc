import Foundation

/// How a graft is trained; stored in its log and checkpoints.
public struct TuningOptions: Hashable, Sendable, Codable {
    public enum Decay: String, Hashable, Sendable, Codable, CaseIterable {
        /// Half a cosine from the full rate to a twentieth of it at the last step.
        case cosine
        case flat
    }

    /// 0: as many as the minutes given allow, found out while training.
    public var steps = 2000
    /// Sequences of a step; the gradient is their average.
    public var batch = 4
    /// Tokens of a sequence.
    public var window = 256
    /// How many tokens of a sequence get masks after them, at most.
    public var positions = 64
    public var weights = LossWeights()
    /// Learn from this many of the base model's most likely tokens instead of the true one; 0 for the true one.
    public var softTargets = 8
    public var rate = 2e-3
    public var warmup = 100
    public var decay = Decay.cosine
    public var beta1 = 0.9
    public var beta2 = 0.98
    public var epsilon = 1e-8
    public var weightDecay = 0.0
    /// Largest norm of a step's gradient; longer ones are scaled down to it.
    public var clip = 1.0
    public var seed: UInt64 = 0
    /// Windows set aside to measure acceptance on.
    public var heldOut = 16
    /// Steps from one line of the log to the next, to the next measurement on the held-out slice, to the next
    /// checkpoint.
    public var logEvery = 10
    public var measureEvery = 250
    public var checkpointEvery = 250
    /// Bytes that the run may take, the base model's decoded weights included.
    public var memory = 4 << 30

    public init() {}

    /// The learning rate of a step, counted from 0. At most a tenth of the steps are spent rising.
    public func rate(step: Int) -> Double {
        let warmup = steps > 0 ? min(self.warmup, steps / 10) : self.warmup
        let rise = warmup > 0 ? min(1, Double(step + 1) / Double(warmup)) : 1
        guard decay == .cosine, steps > warmup, step > warmup else { return rate * rise }
        let progress = min(1, Double(step - warmup) / Double(steps - warmup))
        return rate * (0.05 + 0.95 * 0.5 * (1 + cos(.pi * progress)))
    }
}

extension TuningOptions {
    /// What differs in `other`, a sentence for each setting: "rate was 0.002, now 0.001".
    func differences(from other: TuningOptions) -> [String] {
        func settings(_ options: TuningOptions) -> [String: String] {
            var found: [String: String] = [:]
            func add(_ value: Any, _ name: String) {
                for child in Mirror(reflecting: value).children {
                    guard let label = child.label else { continue }
                    let isPart =
                        Mirror(reflecting: child.value).displayStyle == .struct
                        && child.value is LossWeights
                    if isPart { add(child.value, label + ".") } else { found[name + label] = "\(child.value)" }
                }
            }
            add(options, "")
            return found
        }
        let now = settings(other)
        return settings(self).sorted { $0.key < $1.key }.compactMap { name, value in
            now[name].flatMap { $0 == value ? nil : "\(name) was \(value), now \($0)" }
        }
    }
}
