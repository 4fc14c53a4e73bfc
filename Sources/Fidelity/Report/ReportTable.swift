/// An HTML table whose columns sort when their heading is pressed; numbers carry their unrounded value.
struct ReportTable {
    enum Cell {
        case text(String)
        /// What is shown, and what it is sorted by.
        case number(String, Double)

        var isNumber: Bool { if case .number = self { true } else { false } }

        var markup: String {
            switch self {
            case .text(let text): element("td", [:], Markup.escape(text))
            case .number(let shown, let value):
                element("td", ["class": "n", "data-v": "\(value)"], Markup.escape(shown))
            }
        }
    }

    var headings: [String]
    var rows: [[Cell]]
    /// Long tables are folded away until asked for.
    var folded: String?

    func html() -> String {
        let head = headings.enumerated().map { column, heading in
            let isNumber = rows.last.map { $0.indices.contains(column) && $0[column].isNumber } ?? false
            return element(
                "th", ["scope": "col", "tabindex": "0", "class": isNumber ? "n" : "t"], Markup.escape(heading))
        }.joined()
        let body = rows.map { element("tr", [:], $0.map(\.markup).joined()) }.joined(separator: "\n")
        let table = element(
            "div", ["class": "scroll"],
            element(
                "table", ["class": "sortable"],
                element("thead", [:], element("tr", [:], head)) + element("tbody", [:], body)))
        guard let folded else { return table }
        return element("details", [:], element("summary", [:], Markup.escape(folded)) + table)
    }
}
