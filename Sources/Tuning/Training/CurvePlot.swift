import Foundation

/// The curves of a run as one SVG: losses, tokens per step and acceptance by depth on the held-out slice.
///
/// Self-contained, legible in light and dark, no script.
public struct CurvePlot {
    private let log: TuningLog
    private static let width = 760.0
    private static let panelHeight = 200.0
    private static let left = 56.0
    private static let right = 130.0

    public init(_ log: TuningLog) { self.log = log }

    private struct Series {
        var name: String
        var style: String
        var points: [(x: Double, y: Double)]
    }

    public var svg: String {
        let panels = [
            panel(
                "loss in training (mean over \(log.options.logEvery) steps)", y: 40,
                [
                    Series(name: "base", style: "a", points: log.entries.map { (Double($0.step), $0.losses.base) }),
                    Series(
                        name: "sampler", style: "b", points: log.entries.map { (Double($0.step), $0.losses.sampler) }),
                    Series(
                        name: "latent", style: "c", points: log.entries.map { (Double($0.step), $0.losses.latent) }),
                ], floor: 0),
            panel(
                "tokens per step, held out", y: 300,
                [
                    Series(
                        name: "with sampler", style: "b",
                        points: log.measurements.map { (Double($0.step), $0.acceptance.tokensPerStep) }),
                    Series(
                        name: "without", style: "a",
                        points: log.measurements.map { (Double($0.step), $0.acceptance.tokensPerStepWithoutSampler) }),
                ], floor: 1),
            panel(
                "share of first j drafts accepted, held out", y: 560,
                [1, 2, 4, 8, 16].filter { $0 <= log.masks }.enumerated().map { index, depth in
                    Series(
                        name: "j = \(depth)", style: ["a", "b", "c", "d", "e"][index],
                        points: log.measurements.map { (Double($0.step), $0.acceptance.byDepth[depth - 1]) })
                }, floor: 0),
        ]
        let height = 820
        return """
            <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(Int(Self.width)) \(height)" font-family="sans-serif" \
            font-size="12" role="img" aria-label="training curves">
            <style>
            :root { color-scheme: light dark }
            svg { background: Canvas } text { fill: CanvasText } .grid { stroke: GrayText; stroke-opacity: .3 }
            .a { stroke: #d9822b } .b { stroke: #2b7bd9 } .c { stroke: #2f9e58 } .d { stroke: #a05ad9 } .e { stroke: #c0392b }
            polyline { fill: none; stroke-width: 1.6 }
            </style>
            <text x="12" y="22" font-weight="bold">\(Self.escaped(log.model)): \(log.masks) masks, rank \(log.rank), \
            \(log.entries.last?.step ?? 0) steps</text>
            \(panels.joined(separator: "\n"))
            </svg>

            """
    }

    private func panel(_ title: String, y: Double, _ series: [Series], floor: Double) -> String {
        let points = series.flatMap(\.points).filter { $0.y.isFinite }
        let lastStep = max(1, points.map(\.x).max() ?? 1)
        let top = Self.ceiling(max(points.map(\.y).max() ?? 1, floor + 0.1))
        let plotWidth = Self.width - Self.left - Self.right
        let plotTop = y + 24
        func place(_ point: (x: Double, y: Double)) -> String {
            let px = Self.left + plotWidth * point.x / lastStep
            let py = plotTop + Self.panelHeight * (1 - (point.y - floor) / (top - floor))
            return String(format: "%.1f,%.1f", px, py)
        }
        var parts = ["<text x=\"\(Self.left)\" y=\"\(y + 12)\">\(Self.escaped(title))</text>"]
        for tick in 0...4 {
            let value = floor + (top - floor) * Double(tick) / 4
            let py = plotTop + Self.panelHeight * (1 - Double(tick) / 4)
            parts.append(
                String(
                    format: "<line class=\"grid\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/>", Self.left,
                    Self.left + plotWidth, py, py))
            parts.append(
                String(
                    format: "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">%.4g</text>", Self.left - 6, py + 4,
                    value))
            let step = lastStep * Double(tick) / 4
            parts.append(
                String(
                    format: "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%.0f</text>",
                    Self.left + plotWidth * Double(tick) / 4, plotTop + Self.panelHeight + 16, step))
        }
        for (index, line) in series.enumerated() where !line.points.isEmpty {
            parts.append(
                "<polyline class=\"\(line.style)\" points=\""
                    + line.points.filter { $0.y.isFinite }.map(place).joined(separator: " ") + "\"/>")
            let ly = plotTop + 14 + 18 * Double(index)
            let lx = Self.left + plotWidth + 12
            parts.append(
                String(
                    format: "<line class=\"%@\" stroke-width=\"3\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/>",
                    line.style, lx, lx + 16, ly - 4, ly - 4))
            parts.append(String(format: "<text x=\"%.1f\" y=\"%.1f\">%@</text>", lx + 22, ly, line.name))
        }
        return parts.joined(separator: "\n")
    }

    /// The next of 1, 2, 2.5, 5 times a power of ten.
    private static func ceiling(_ value: Double) -> Double {
        let power = pow(10, Foundation.floor(Foundation.log10(value)))
        return [1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10].map { $0 * power }.first { $0 >= value } ?? value
    }

    private static func escaped(_ text: String) -> String {
        text.replacing("&", with: "&amp;").replacing("<", with: "&lt;")
    }
}
