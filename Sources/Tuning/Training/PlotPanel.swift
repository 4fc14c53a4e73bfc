import Foundation

/// Lines over the steps of a run, with axes and a key.
struct PlotPanel {
    struct Line {
        var name: String
        /// A class of the style sheet.
        var style: String
        var points: [(x: Double, y: Double)]
        /// Drawn faintly, with a running mean over it.
        var isNoisy = false
    }

    var title: String
    var lines: [Line]
    /// Where the vertical axis begins.
    var floor: Double

    static let width = 760.0
    /// From the top of a panel to the top of the next.
    static let pitch = 270.0
    private static let height = 190.0
    private static let left = 48.0
    private static let right = 118.0

    func svg(top: Double, lastStep: Double) -> String {
        let values = lines.flatMap(\.points).map(\.y).filter(\.isFinite)
        let rise = Self.interval(max((values.max() ?? 1) - floor, 0.1))
        let ceiling = floor + rise * ((max((values.max() ?? 1) - floor, 0.1)) / rise).rounded(.up)
        let (plotTop, plotWidth) = (top + 24, Self.width - Self.left - Self.right)
        func x(_ step: Double) -> Double { Self.left + plotWidth * step / lastStep }
        func y(_ value: Double) -> Double { plotTop + Self.height * (1 - (value - floor) / (ceiling - floor)) }
        var parts = ["<text x=\"\(Self.left)\" y=\"\(top + 12)\">\(Self.escaped(title))</text>"]
        for value in stride(from: floor, through: ceiling + rise / 1e6, by: rise) {
            parts.append(
                String(
                    format: "<line class=\"grid\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/>"
                        + "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">%.4g</text>", Self.left,
                    Self.left + plotWidth, y(value), y(value), Self.left - 6, y(value) + 4, value))
        }
        for step in stride(from: 0, through: lastStep, by: max(1, Self.interval(lastStep))) {
            parts.append(
                String(
                    format: "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%.0f</text>", x(step),
                    plotTop + Self.height + 16, step))
        }
        parts.append(
            String(
                format: "<text x=\"%.1f\" y=\"%.1f\">step</text>", Self.left + plotWidth + 12,
                plotTop + Self.height + 16))
        for (index, line) in lines.enumerated() {
            let points = line.points.filter { $0.y.isFinite }
            func polyline(_ points: [(x: Double, y: Double)], _ style: String) -> String {
                let places = points.map { String(format: "%.1f,%.1f", x($0.x), y($0.y)) }
                return "<polyline class=\"\(style)\" points=\"\(places.joined(separator: " "))\"/>"
            }
            if line.isNoisy {
                parts.append(polyline(points, line.style + " raw"))
                parts.append(polyline(Self.runningMean(points), line.style))
            } else {
                parts.append(polyline(points, line.style))
                parts += points.map {
                    String(
                        format: "<circle class=\"%@\" cx=\"%.1f\" cy=\"%.1f\" r=\"2.5\"/>", line.style, x($0.x),
                        y($0.y))
                }
            }
            let (keyX, keyY) = (Self.left + plotWidth + 12, plotTop + 14 + 18 * Double(index))
            parts.append(
                String(
                    format: "<line class=\"%@ key\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/>", line.style,
                    keyX, keyX + 16, keyY - 4, keyY - 4))
            parts.append(String(format: "<text x=\"%.1f\" y=\"%.1f\">%@</text>", keyX + 22, keyY, line.name))
        }
        return parts.joined(separator: "\n")
    }

    /// Each point with as many neighbours on either side as there are, up to a twentieth of all.
    private static func runningMean(_ points: [(x: Double, y: Double)]) -> [(x: Double, y: Double)] {
        let reach = max(1, points.count / 20)
        return points.indices.map { index in
            let near = points[max(0, index - reach)..<min(points.count, index + reach + 1)]
            return (points[index].x, near.reduce(0) { $0 + $1.y } / Double(near.count))
        }
    }

    /// 1, 2 or 5 times a power of ten, such that `range` has four to nine of them.
    private static func interval(_ range: Double) -> Double {
        let power = pow(10, Foundation.floor(Foundation.log10(range / 4)))
        return [5, 2, 1].map { $0 * power }.first { range / $0 >= 4 } ?? power
    }

    static func escaped(_ text: String) -> String {
        text.replacing("&", with: "&amp;").replacing("<", with: "&lt;")
    }
}
