import Foundation

/// The curves of a run as one SVG: losses, tokens per step and acceptance by depth on the held-out slice.
///
/// Self-contained, legible in light and dark, no script.
public struct CurvePlot {
    private let log: TuningLog

    public init(_ log: TuningLog) { self.log = log }

    public var svg: String {
        let panels = [losses, tokensPerStep, acceptance].filter { $0.lines.contains { !$0.points.isEmpty } }
        let lastStep = max(1, log.entries.last?.step ?? 0, log.measurements.last?.step ?? 0)
        let drawn = panels.enumerated().map { index, panel in
            panel.svg(top: 40 + Double(index) * PlotPanel.pitch, lastStep: Double(lastStep))
        }
        return """
            <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(Int(PlotPanel.width)) \
            \(40 + panels.count * Int(PlotPanel.pitch))" font-family="sans-serif" font-size="12" role="img" \
            aria-label="training curves">
            <style>
            :root { color-scheme: light dark }
            svg { background: Canvas } text { fill: CanvasText } .grid { stroke: GrayText; stroke-opacity: .3 }
            .a { stroke: #d9822b; fill: #d9822b } .b { stroke: #2b7bd9; fill: #2b7bd9 }
            .c { stroke: #2f9e58; fill: #2f9e58 } .d { stroke: #a05ad9; fill: #a05ad9 }
            .e { stroke: #c0392b; fill: #c0392b }
            polyline { fill: none !important; stroke-width: 1.8; stroke-linejoin: round }
            .raw { stroke-width: 1; stroke-opacity: .3 } .key { stroke-width: 3 } circle { stroke: none }
            </style>
            <text x="12" y="22" font-weight="bold">\(PlotPanel.escaped(log.model)): \(log.masks) masks, \
            rank \(log.rank), \(log.entries.last?.step ?? 0) steps</text>
            \(drawn.joined(separator: "\n"))
            </svg>

            """
    }

    private var losses: PlotPanel {
        func line(_ name: String, _ style: String, _ value: (Losses) -> Double) -> PlotPanel.Line {
            PlotPanel.Line(
                name: name, style: style, points: log.entries.map { (Double($0.step), value($0.losses)) },
                isNoisy: true)
        }
        return PlotPanel(
            title: "loss in training, running mean over the faint means of \(log.options.logEvery) steps",
            lines: [line("base", "a", \.base), line("sampler", "b", \.sampler), line("latent", "c", \.latent)],
            floor: 0)
    }

    private func held(_ name: String, _ style: String, _ value: (Acceptance) -> Double) -> PlotPanel.Line {
        PlotPanel.Line(
            name: name, style: style, points: log.measurements.map { (Double($0.step), value($0.acceptance)) })
    }

    private var tokensPerStep: PlotPanel {
        PlotPanel(
            title: "tokens per step on the held-out slice, \(log.masks) masks, quadratic",
            lines: [
                held("with sampler", "b", \.tokensPerStep), held("without", "a", \.tokensPerStepWithoutSampler),
            ], floor: 1)
    }

    private var acceptance: PlotPanel {
        let depths = [1, 2, 4, 8, 16].filter { $0 <= log.masks }
        return PlotPanel(
            title: "share of places where the first j drafts are accepted, held out",
            lines: zip(depths, ["a", "b", "c", "d", "e"]).map { depth, style in
                held("j = \(depth)", style) { $0.byDepth[depth - 1] }
            }, floor: 0)
    }
}
