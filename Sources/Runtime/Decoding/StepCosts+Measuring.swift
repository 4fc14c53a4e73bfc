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
            let text = "2 \(masks) \(shortlist) \(cache) \(threads) \(instructionSet) \(processor) \(model)"
            let bytes = Array(text.utf8)
            return unsafe "steps-\(TensorDigest(of: bytes.span.bytes)).json"
        }
    }

    /// Costs of passes on this machine, measured now in about `seconds`: each part's least time over several rounds, so
    /// that what disturbs the machine for a moment disturbs all parts alike. Row counts rise until the first round has
    /// taken a third of the time; the last slope stands for what was not measured.
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
        func elapsed() -> Double { started.duration(to: .now).seconds }
        func time(_ best: inout [Int: Double], _ count: Int, _ body: () throws -> Void) rethrows {
            let before = ContinuousClock.now
            try body()
            best[count] = min(best[count] ?? .infinity, before.duration(to: .now).seconds)
        }
        let most = min(81, port.rowLimit, max(1, configuration.contextLength - prefix))
        let k = min(graft?.maskCount ?? 0, max(0, configuration.contextLength - prefix - 2))
        var (layers, verification, masked, drafting) = (
            [Int: Double](), [Int: Double](), [Int: Double](), [Int: Double]()
        )
        /// Rows of a pass of so many masks in blocks of k, each after a token of a chain.
        func blocks(_ count: Int) -> StepLayout {
            let plan = StepPlan(masks: stride(from: 0, to: count, by: k).map { min(k, count - $0) })
            return StepLayout(plan: plan, tokens: (0..<plan.ordinaryCount).map(token))
        }
        var counts = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 81].filter { $0 <= most }
        let maskCounts = [1, 2, 4, 8, 16].filter { $0 <= 2 * k && blocks($0).rows.count <= most }
        try sequence.forward(Row.chain([token(0)]))
        var round = 0
        repeat {
            for (index, count) in counts.enumerated() {
                if round == 0, count > 4, elapsed() > seconds / 3 {
                    counts = Array(counts[..<index])
                    break
                }
                try time(&layers, count) { try sequence.forward(Row.chain((0..<count).map(token))) }
                guard count <= 9 else { continue }
                try time(&verification, count) { try port.readLogits(rows: 0..<count) }
            }
            for count in maskCounts {
                let layout = blocks(count)
                try time(&masked, count) { try sequence.forward(layout.rows) }
                guard count <= k else { continue }
                try time(&drafting, count) { _ = try port.draft(after: 0, block: layout.block(after: 0)) }
            }
            round += 1
        } while round < 2 || (round < 20 && elapsed() < seconds)
        func curve(_ knots: [Int: Double]) -> Curve { Curve(knots.map { (count: $0.key, seconds: $0.value) }) }
        let ordinary = curve(layers)
        let gated = masked.map { (count: $0.key, seconds: max(0, $0.value - ordinary(blocks($0.key).rows.count))) }
        return StepCosts(
            layers: ordinary, gated: Curve(gated), verification: curve(verification), drafting: curve(drafting))
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
