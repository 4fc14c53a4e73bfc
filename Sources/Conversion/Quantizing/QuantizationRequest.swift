import Foundation
import Kernels
public import ModelGraph
public import Quantization
public import TensorFiles

/// A quantization as asked for: which model becomes what, by which rule, with which calibration.
public struct QuantizationRequest: Sendable {
    /// How types are chosen.
    public enum Choice: Sendable {
        case recipe(Recipe)
        /// One type for every matrix.
        case uniform(ElementType)
        /// The least loss in a file of at most this many bytes.
        case size(Int)
        /// The same for a number of bits for each weight, everything in the file counted.
        case bitsPerWeight(Double)
        /// A quantized layout of Hub directories.
        case layout(HubLayout)
    }

    public var model: String
    /// A .gguf file, or the folder of a Hub directory for a layout.
    public var output: String
    public var choice: Choice
    public var method: BlockMethod = .search
    /// Path of an importance matrix.
    public var importance: String?
    /// Path of Hessians; by default beside the importance matrix.
    public var hessians: String?
    /// NaN and infinities become 0.
    public var replacesNonfinite = false
    /// Weights may have been quantized before.
    public var requantizes = false
    public var maximumShardSize: Int?
    public var architecture: Architecture?
    public var isDryRun = false
    public var threads = 2

    public init(model: String, output: String, choice: Choice) {
        self.model = model
        self.output = output
        self.choice = choice
    }

    /// Reads headers, and for a budget measures the weights once; says what will be written.
    public func planned(progress: ProgressHandler? = nil) throws -> PlannedQuantization {
        if case .layout(let layout) = choice { return try planned(layout, progress) }
        let source = try QuantizationSource(self, progress: progress)
        if !requantizes { try source.refuseQuantized() }
        let matrix = try importance.map { try ImportanceMatrix(path: $0) }
        try matrix?.check(against: source.subjects)
        let weights = try matrix ?? (readsWeights ? source.estimatedImportance() : nil)
        var context = source.context
        context.hasImportance = matrix != nil
        var planned = PlannedQuantization(source.base, folder: source.folder, tally: QuantizationTally())
        switch choice {
        case .recipe(let recipe): planned.types = try TypePlan(recipe: recipe, source.subjects, context)
        case .uniform(let type):
            planned.types = TypePlan(uniform: type, source.subjects, context, method: method)
        case .size(let bytes): try planned.fit(source, bytes, weights, method, threads: threads, progress)
        case .bitsPerWeight(let bits):
            let count = source.subjects.reduce(0) { $0 + $1.elementCount }
            guard bits > 0, bits <= 64 else { throw ConversionError.invalid("\(bits) bits for a weight cannot be") }
            try planned.fit(source, Int(bits * Double(count) / 8), weights, method, threads: threads, progress)
        case .layout: break
        }
        let usesHessians = planned.types.entries.contains { $0.method == .gptq && $0.type.isQuantized }
        let store = usesHessians && !isDryRun ? try hessianStore() : nil
        planned.plan = try source.plan(
            planned.types, importance: weights, hessians: store, replacesNonfinite: replacesNonfinite,
            measures: requantizes, tally: planned.tally, identity: identity)
        planned.describe(planned.types)
        return planned
    }

    /// A dry run of a preset or recipe needs no weights, and may have none.
    private var readsWeights: Bool {
        switch choice {
        case .size, .bitsPerWeight: true
        case .recipe, .uniform, .layout: !isDryRun
        }
    }

    func hessianStore() throws -> HessianStore {
        let path = hessians ?? importance.map { HessianStore.path(beside: $0) }
        guard let path else {
            throw ConversionError.invalid(
                "--method gptq needs second moments of activations: run calibrate with --hessians and give its file "
                    + "with --importance")
        }
        return try HessianStore(path: path)
    }

    /// What the bytes depend on beside the plan's types.
    var identity: String {
        let files = [importance, hessians].compactMap { $0 }.map { path in
            let attributes = try? FileManager.default.attributesOfItem(atPath: path)
            let time = (attributes?[.modificationDate] as? Date)?.timeIntervalSince1970 ?? 0
            return "\(path) \((attributes?[.size] as? Int) ?? 0) \(time)"
        }
        return (files + ["nonfinite \(replacesNonfinite)", "blocks \(TensorEncoder.revision)"]).joined(
            separator: "\n")
    }
}

/// What a request comes to.
public struct PlannedQuantization: Sendable {
    /// A plan on the frontier of size and loss.
    public struct Point: Sendable, Encodable {
        public let bytes: Int
        /// Sum over the tensors of relative output error.
        public let cost: Double
    }

    public let tally: QuantizationTally
    /// Where the files go.
    public let folder: String
    /// Tensors of the output, as a report lists them.
    public internal(set) var tensors: [QuantizedTensor] = []
    /// Of the model, whatever they are stored in.
    public internal(set) var weightCount = 0
    /// For a GGUF: the type of each tensor.
    public internal(set) var types = TypePlan(entries: [])
    public internal(set) var plan: ConversionPlan
    /// For a budget: plans on the convex hull, smallest first, and where the chosen one lies.
    public internal(set) var frontier: [Point] = []
    public internal(set) var chosen: Point?
    /// For a budget: relative output error of each tensor by its type.
    public internal(set) var relativeErrors: [String: Double] = [:]

    init(_ plan: ConversionPlan, folder: String, tally: QuantizationTally) {
        self.plan = plan
        self.folder = folder
        self.tally = tally
    }

    /// Chooses types for a file of at most `budget` bytes.
    mutating func fit(
        _ source: QuantizationSource, _ budget: Int, _ importance: ImportanceMatrix?, _ method: BlockMethod,
        threads: Int,
        _ progress: ProgressHandler?
    ) throws {
        let table = try ErrorTable.measure(
            source.subjects, importance: importance, threads: threads, progress: progress
        ) { subject in
            guard let tensor = source.tensors[subject.name] else {
                throw ConversionError.invalid("\(subject.name): its weights cannot be read as they are")
            }
            return tensor
        }
        let smallest = table.rows.map { $0.choices[0].type }
        var probe = TypePlan(uniform: .q8_0, source.subjects, source.context)
        let rows = Dictionary(zip(table.rows.map(\.subject.name), smallest)) { first, _ in first }
        for index in probe.entries.indices {
            if let type = rows[probe.entries[index].subject.name] { probe.entries[index].type = type }
        }
        let whole = try source.byteCount(probe)
        let variable = probe.entries.reduce(0) { sum, entry in
            sum + (rows[entry.subject.name] == nil ? 0 : Self.padded(entry.byteCount, source.alignment))
        }
        let planner = BudgetPlanner(table, fixedBytes: whole - variable, alignment: source.alignment)
        let best = try planner.best(within: budget)
        types = TypePlan(best, of: table, source.subjects, reason: "fits \(budget) bytes", method: method)
        chosen = Point(bytes: best.byteCount, cost: best.cost)
        frontier = planner.frontier().map { Point(bytes: $0.byteCount, cost: $0.cost) }
        for (row, choice) in zip(table.rows, best.choices) {
            relativeErrors[row.subject.name] = row.choices[choice].relativeError
        }
    }

    private static func padded(_ bytes: Int, _ alignment: Int) -> Int {
        (bytes + alignment - 1) / alignment * alignment
    }
}
