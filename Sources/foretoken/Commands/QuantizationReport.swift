import Conversion
import Quantization
import TensorFiles

/// What quantizing wrote, or would.
struct QuantizationReport: Encodable {
    struct Entry: Encodable {
        var name: String
        var shape: [Int]
        var type: String
        var bytes: Int
        var sourceType: String
        var method: String
        var reason: String
        /// Where measured: Σ importance · (w − w')² over Σ importance · w².
        var relativeError: Double?
    }

    /// Of the whole file.
    var bytes: Int
    var bitsPerWeight: Double
    var peakMemoryBytes: Int
    var tensors: [Entry]
    /// For a budget: plans from the smallest file to the largest, by size and summed relative error.
    var frontier: [PlannedQuantization.Point]
    var chosen: PlannedQuantization.Point?
    /// How many NaN and infinities became 0.
    var replacedWeights: Int
    var notes: [String]

    init(_ planned: PlannedQuantization, _ plan: ConversionPlan, peakMemoryBytes: Int) {
        let measured = planned.tally.relativeErrors
        bytes = planned.plan.output.byteCount
        self.peakMemoryBytes = peakMemoryBytes
        tensors = planned.tensors.map { tensor in
            Entry(
                name: tensor.name, shape: tensor.shape, type: tensor.type.rawValue, bytes: tensor.byteCount,
                sourceType: tensor.sourceType.rawValue, method: tensor.method.rawValue, reason: tensor.reason,
                relativeError: measured[tensor.measuredAs] ?? planned.relativeErrors[tensor.measuredAs])
        }
        let weights = planned.weightCount
        bitsPerWeight = weights > 0 ? 8 * Double(bytes) / Double(weights) : 0
        frontier = planned.frontier
        chosen = planned.chosen
        replacedWeights = planned.tally.replacedCount
        notes = plan.notes
    }

    private var sizes: String {
        let digits = (bitsPerWeight * 1000).rounded() / 1000
        return "\(bytes) bytes (\(ByteSize.text(bytes))), \(digits) bits for each weight"
    }

    private static func percent(_ value: Double) -> String { "\((value * 1e5).rounded() / 1e3) %" }

    var table: String {
        let width = tensors.map(\.name.count).max() ?? 0
        var text = ""
        for tensor in tensors {
            let name = tensor.name + String(repeating: " ", count: width - tensor.name.count)
            let type = tensor.type + String(repeating: " ", count: max(0, 8 - tensor.type.count))
            text += "\(name)  \(type) \(tensor.bytes)  \(tensor.reason)"
            text += tensor.relativeError.map { "  error \(Self.percent($0))" } ?? ""
            text += "\n"
        }
        return text + frontierText + sizes + "\n"
    }

    /// A dozen points of the frontier, and the plan that was chosen.
    private var frontierText: String {
        guard let chosen else { return "" }
        let step = max(1, frontier.count / 12)
        var text = "bytes and summed relative error along the frontier:\n"
        for (index, point) in frontier.enumerated() where index % step == 0 || index == frontier.count - 1 {
            text += "  \(point.bytes)  \(Self.percent(point.cost))\n"
        }
        return text + "chosen: \(chosen.bytes)  \(Self.percent(chosen.cost))\n"
    }

    func summary(_ output: String) -> String {
        var text = "\(output): \(tensors.count) tensors, \(sizes)\n"
        let added = tensors.compactMap(\.relativeError)
        if chosen != nil { text += frontierText }
        if chosen == nil, !added.isEmpty {
            let worst = tensors.max { ($0.relativeError ?? 0) < ($1.relativeError ?? 0) }
            let mean = added.reduce(0, +) / Double(added.count)
            text += "loss against the weights it was made from: mean relative error \(Self.percent(mean))"
            text += worst.map { ", most in \($0.name): \(Self.percent($0.relativeError ?? 0))\n" } ?? "\n"
        }
        if replacedWeights > 0 { text += "\(replacedWeights) weights that were no finite numbers became 0\n" }
        return text
    }
}
