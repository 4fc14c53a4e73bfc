public import Foundation
public import Kernels
import ModelGraph
import TensorFiles

extension StepCosts {
    /// What a measurement was made with; costs of one setting say nothing about another.
    public struct Setting: Hashable, Sendable, Codable {
        public var masks: Int
        public var shortlist: Int
        public var cache: String
        public var threads: Int
        public var instructionSet: String
        public var processor: String
        /// The model by its shape, types and memory.
        public var model: String

        public init(
            model: Transformer, graft: LoadedGraft?, shortlist: Int, cache: KeyValueStore.Precision
        ) {
            masks = graft?.maskCount ?? 0
            self.shortlist = shortlist
            self.cache = cache.rawValue
            threads = model.pool.threads
            instructionSet = "\(model.pool.instructionSet)"
            processor = Self.processorName
            let c = model.configuration
            self.model =
                "\(c.family) \(c.layers.count) \(c.hiddenSize) \(c.feedForwardSize) \(c.headCount) "
                + "\(c.keyValueHeadCount) \(c.headSize) \(c.vocabularySize) \(model.byteCount) "
                + "\(model.precision.rawValue) \(model.output.type.rawValue) \(graft?.byteCount ?? 0)"
        }

        private static var processorName: String {
            let text = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
            let line = text.split(separator: "\n").first { $0.hasPrefix("model name") || $0.hasPrefix("CPU part") }
            return line.map(String.init) ?? "unknown"
        }

        /// A file name that only this setting has.
        var fileName: String {
            let text = "1 \(masks) \(shortlist) \(cache) \(threads) \(instructionSet) \(processor) \(model)"
            let bytes = Array(text.utf8)
            return unsafe "steps-\(TensorDigest(of: bytes.span.bytes)).json"
        }
    }

    /// Costs of passes on this machine, measured now: each part's least time of several, rows rising until `seconds`
    /// are used up; the last slope stands for what was not measured.
    public static func measured(
        _ model: Transformer, graft: LoadedGraft?, shortlist: Int, cache: KeyValueStore.Precision,
        seconds: Double = 1.5
    ) throws -> StepCosts {
        let configuration = model.configuration
        let prefix = min(32, configuration.contextLength / 4)
        let sequence = try TokenSequence(
            model, capacity: min(configuration.contextLength, prefix + 96), precision: cache, adaptation: graft)
        let port = try TransformerPort(sequence, graft: graft, shortlist: shortlist)
        func token(_ index: Int) -> Int { (index * 37 + 11) % configuration.vocabularySize }
        try sequence.append((0..<max(1, prefix)).map(token))
        let started = ContinuousClock.now
        func left() -> Double { seconds - started.duration(to: .now).seconds }
        func least(_ body: () throws -> Void) rethrows -> Double {
            var best = Double.infinity
            var spent = 0.0
            for _ in 0..<5 {
                let before = ContinuousClock.now
                try body()
                let took = before.duration(to: .now).seconds
                best = min(best, took)
                spent += took
                if spent > seconds / 24 { break }
            }
            return best
        }
        func pass(_ count: Int) throws { try sequence.forward(Row.chain((0..<count).map(token))) }
        try pass(1)
        var layers: [(count: Int, seconds: Double)] = []
        var verification: [(count: Int, seconds: Double)] = []
        let most = min(81, port.rowLimit, max(1, configuration.contextLength - prefix))
        for count in [1, 2, 4, 8, 16, 3, 6, 12, 32, 24, 48, 81] where count <= most {
            guard count <= 4 || left() > seconds / 3 else { continue }
            layers.append((count, try least { try pass(count) }))
            guard count <= 9 else { continue }
            verification.append((count, try least { try port.readLogits(rows: 0..<count) }))
        }
        let ordinary = Curve(layers)
        var gated: [(count: Int, seconds: Double)] = []
        var drafting: [(count: Int, seconds: Double)] = []
        if let graft {
            let k = min(graft.maskCount, configuration.contextLength - prefix - 2)
            for count in [1, 2, 4, 8, 16] where count <= max(1, 2 * k) && count < most {
                // Blocks of k masks after each token of a chain.
                let plan = StepPlan(
                    masks: stride(from: 0, to: count, by: max(1, k)).map { min(max(1, k), count - $0) })
                let layout = StepLayout(plan: plan, tokens: (0..<plan.ordinaryCount).map(token))
                let took = try least { try sequence.forward(layout.rows) }
                gated.append((count, max(0, took - ordinary(plan.rowCount))))
                guard count <= k else { continue }
                drafting.append((count, try least { _ = try port.draft(after: 0, block: layout.block(after: 0)) }))
            }
        }
        return StepCosts(
            layers: ordinary, gated: Curve(gated), verification: Curve(verification), drafting: Curve(drafting))
    }

    /// Where measurements are kept: `$FORETOKEN_CACHE`, or `foretoken` in the user's cache folder.
    public static var storeFolder: URL {
        let environment = ProcessInfo.processInfo.environment
        if let own = environment["FORETOKEN_CACHE"] { return URL(fileURLWithPath: own) }
        if let base = environment["XDG_CACHE_HOME"], !base.isEmpty {
            return URL(fileURLWithPath: base).appendingPathComponent("foretoken")
        }
        return FileManager.default.homeDirectoryForCurrentUser.appendingPathComponent(".cache/foretoken")
    }

    /// The stored measurement for this setting, or a new one, which is stored. A folder that cannot be written only
    /// costs the next run a measurement.
    public static func stored(
        _ model: Transformer, graft: LoadedGraft?, shortlist: Int, cache: KeyValueStore.Precision,
        measuresAnew: Bool = false
    ) throws -> StepCosts {
        let setting = Setting(model: model, graft: graft, shortlist: shortlist, cache: cache)
        let file = storeFolder.appendingPathComponent(setting.fileName)
        if !measuresAnew, let data = try? Data(contentsOf: file),
            let costs = try? JSONDecoder().decode(StepCosts.self, from: data)
        {
            return costs
        }
        let costs = try measured(model, graft: graft, shortlist: shortlist, cache: cache)
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        if let data = try? encoder.encode(costs) {
            try? FileManager.default.createDirectory(at: storeFolder, withIntermediateDirectories: true)
            try? data.write(to: file, options: .atomic)
        }
        return costs
    }
}
