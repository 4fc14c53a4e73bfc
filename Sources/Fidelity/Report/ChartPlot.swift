import Foundation

/// The plotting area of a chart, in the units of its view box, and how marks are drawn on it.
struct ChartPlot {
    static let width = 460.0
    static let height = 280.0
    static let left = 72.0
    static let right = width - 18
    static let top = 14.0
    static let bottom = height - 46

    let x: Axis
    let y: Axis
    let categories: [String]

    func horizontal(_ value: Double) -> Double {
        let share = categories.isEmpty ? x.place(value) : (value + 0.5) / Double(categories.count)
        return Self.left + share * (Self.right - Self.left)
    }

    func vertical(_ value: Double) -> Double { Self.bottom - y.place(value) * (Self.bottom - Self.top) }

    func grid(xTitle: String, yTitle: String) -> String {
        var content = ""
        for mark in y.marks {
            let place = vertical(mark)
            content += line("grid", Self.left, place, Self.right, place)
            content += text("tick", Self.left - 6, place + 4, Markup.tick(mark), anchor: "end")
        }
        let marks: [(Double, String)]
        if categories.isEmpty {
            marks = x.marks.map { ($0, Markup.tick($0)) }
        } else {
            let every = max(1, (categories.count + 9) / 10)
            marks = categories.enumerated().filter { $0.offset % every == 0 }.map { (Double($0.offset), $0.element) }
        }
        for (value, name) in marks { content += text("tick", horizontal(value), Self.bottom + 16, name) }
        content += line("axis", Self.left, Self.bottom, Self.right, Self.bottom)
        content += text("label", (Self.left + Self.right) / 2, Self.height - 8, xTitle)
        let turned = "translate(14 \(format((Self.top + Self.bottom) / 2))) rotate(-90)"
        content += element(
            "text", ["class": "label", "text-anchor": "middle", "transform": turned], Markup.escape(yTitle))
        return content
    }

    func draw(_ series: Chart.Series, of count: Int, at index: Int) -> String {
        let points = series.points.filter { $0.x.isFinite && $0.y.isFinite }
        var content = ""
        switch series.style {
        case .line:
            let path = points.map { "\(format(horizontal($0.x))),\(format(vertical($0.y)))" }
            content += element("polyline", ["class": "line", "points": path.joined(separator: " ")])
            if points.count <= 40 { content += points.map { dot($0, series.name) }.joined() }
        case .points:
            content += points.map { dot($0, series.name) }.joined()
        case .bars:
            let slot = (Self.right - Self.left) / Double(max(1, categories.count))
            let width = min(46, slot * 0.8 / Double(count))
            for point in points {
                let start = horizontal(point.x) + (Double(index) - Double(count) / 2) * width
                content += bar(from: start, width: width * 0.92, point.y, series.name)
            }
        }
        for (point, spread) in zip(series.points, series.spreads) {
            let place = horizontal(point.x)
            content += line("whisker", place, vertical(spread.low), place, vertical(spread.high))
        }
        for (point, label) in zip(series.points, series.labels) where !label.isEmpty {
            let place = horizontal(point.x)
            let nearEnd = place > Self.width * 0.7
            content += text(
                "note", place + (nearEnd ? -8 : 8), vertical(point.y) - 6, label, anchor: nearEnd ? "end" : "start")
        }
        return content
    }

    private func dot(_ point: (x: Double, y: Double), _ name: String) -> String {
        let across = categories.isEmpty ? " at \(Markup.number(point.x))" : ""
        let title = element("title", [:], Markup.escape("\(name)\(across): \(Markup.number(point.y))"))
        let place = (format(horizontal(point.x)), format(vertical(point.y)))
        return element("circle", ["class": "dot", "cx": place.0, "cy": place.1, "r": "3.5"], title)
    }

    private func bar(from start: Double, width: Double, _ value: Double, _ name: String) -> String {
        let top = vertical(value)
        let title = element("title", [:], Markup.escape("\(name): \(Markup.number(value))"))
        let height = max(0.5, vertical(y.low) - top)
        return element(
            "rect",
            [
                "class": "bar", "x": format(start), "y": format(top), "width": format(width),
                "height": format(height),
            ], title)
    }

    private func line(_ style: String, _ x1: Double, _ y1: Double, _ x2: Double, _ y2: Double) -> String {
        element(
            "line", ["class": style, "x1": format(x1), "y1": format(y1), "x2": format(x2), "y2": format(y2)])
    }

    private func text(
        _ style: String, _ x: Double, _ y: Double, _ content: String, anchor: String = "middle"
    ) -> String {
        element(
            "text", ["class": style, "text-anchor": anchor, "x": format(x), "y": format(y)], Markup.escape(content))
    }

    private func format(_ value: Double) -> String { String(format: "%.1f", value) }
}
