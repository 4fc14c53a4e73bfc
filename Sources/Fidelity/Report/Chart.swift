import Foundation

/// A chart as inline SVG: lines, points or bars over two axes. Colours come from the page's style sheet, so that it
/// follows light and dark; every mark carries a title that browsers show on hover and screen readers read.
struct Chart {
    enum Style { case line, points, bars }

    struct Series {
        var name: String
        var style: Style = .line
        var points: [(x: Double, y: Double)]
        /// One label for each point, drawn beside it; empty for none.
        var labels: [String] = []
        /// A spread (low, high) for each point, drawn as a whisker; empty for none.
        var spreads: [(low: Double, high: Double)] = []
    }

    var title: String
    var xTitle: String
    var yTitle: String
    var series: [Series]
    var xScale: Axis.Scale = .linear
    var yScale: Axis.Scale = .linear
    var yIncludesZero = true
    /// Names under the horizontal axis in place of numbers, at x = 0, 1, 2, …
    var categories: [String] = []

    func svg() -> String {
        let all = series.flatMap(\.points)
        let xAxis = Axis(categories.isEmpty ? all.map(\.x) : [0, 1], scale: categories.isEmpty ? xScale : .linear)
        let whiskers = series.flatMap(\.spreads).flatMap { [$0.low, $0.high] }
        let yAxis = Axis(all.map(\.y) + whiskers, scale: yScale, includesZero: yIncludesZero && yScale == .linear)
        let plot = ChartPlot(x: xAxis, y: yAxis, categories: categories)
        var content = element("title", [:], Markup.escape(title)) + plot.grid(xTitle: xTitle, yTitle: yTitle)
        for (index, line) in series.enumerated() {
            content += element("g", ["class": "s\(index % 6)"], plot.draw(line, of: series.count, at: index))
        }
        let size = "0 0 \(Int(ChartPlot.width)) \(Int(ChartPlot.height))"
        let picture = element(
            "svg", ["class": "chart", "role": "img", "viewBox": size, "aria-label": title], content)
        return picture + (series.count > 1 ? legend : "")
    }

    private var legend: String {
        let entries = series.enumerated().map { index, line in
            element("span", ["class": "key s\(index % 6)"], "<i></i>" + Markup.escape(line.name))
        }
        return element("p", ["class": "legend"], entries.joined())
    }
}
