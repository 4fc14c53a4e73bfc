import Fidelity
import Foundation
import TestSupport
import Testing

@Suite struct ReportPageTests {
    @Test func everySectionIsThereAndTextIsEscaped() {
        let page = ReportPage(SampleReport.report(candidates: 3)).html()
        for title in [
            "Size against speed", "Divergence by percentile", "Divergence by position", "Error by layer",
            "Size against divergence",
            "Acceptance by number of masks", "Wall-clock speedup by decoder", "Cost of rows",
        ] {
            #expect(page.contains("aria-label=\"\(title)"), "no chart: \(title)")
        }
        #expect(page.contains("pycode-0 &lt;q4_k_m&gt;"))
        #expect(!page.contains("<q4_k_m>"))
        #expect(page.contains("def &lt;main&gt;"))
        for fetched in ["http://", "https://", "src=", "@import"] { #expect(!page.contains(fetched)) }
        #expect(!page.contains("nan"))
    }

    @Test func documentRoundTripsThroughJSON() throws {
        let report = SampleReport.report(candidates: 2)
        let data = try JSONEncoder().encode(report)
        #expect(try JSONDecoder().decode(FidelityReport.self, from: data) == report)
        let schema = try SchemaValidator(
            contentsOf: TestFiles.packageRoot.appendingPathComponent("formats/report.schema.json"))
        #expect(try schema.problems(in: data).isEmpty)
        let broken = String(decoding: data, as: UTF8.self).replacing("\"passed\":true", with: "\"passed\":\"yes\"")
        #expect(
            try schema.problems(in: Data(broken.utf8)).sorted()
                == ["$.limits[0].passed: not a boolean", "$.passed: not a boolean"])
        #expect(try !schema.problems(in: Data("{}".utf8)).isEmpty)
    }

    static let chromium = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"]
        .first { FileManager.default.isExecutableFile(atPath: $0) }

    @Test(.enabled(if: chromium != nil, "no Chromium on this machine"))
    func browserDrawsThePageWithoutComplaint() throws {
        let browser = try #require(Self.chromium)
        let folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("foretoken-report-\(ProcessInfo.processInfo.processIdentifier)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let page = folder.appendingPathComponent("report.html")
        // The browser itself reports what it drew: charts with a size, and whether sorting works.
        let probe = """
            <script>window.addEventListener('load',function(){
            var charts=Array.from(document.querySelectorAll('svg.chart'));
            var drawn=charts.filter(function(c){return c.getBBox().width>300&&c.querySelectorAll('.dot,.bar,.line').length>0}).length;
            var head=document.querySelector('table.sortable th');head.click();
            document.title='charts '+charts.length+' drawn '+drawn+' sorted '+head.getAttribute('aria-sort');});</script></body>
            """
        let html = ReportPage(SampleReport.report(candidates: 3)).html()
            .replacingOccurrences(of: "</body>", with: probe)
        try Data(html.utf8).write(to: page)

        let (document, log) = try Self.run(
            browser, in: folder, ["--dump-dom", page.absoluteURL.absoluteString])
        let complaints = log.split(separator: "\n").filter { $0.contains(":CONSOLE") }
        #expect(complaints.isEmpty, "\(complaints)")
        let title = document.firstMatch(of: /<title>charts (\d+) drawn (\d+) sorted (\w+)<\/title>/)
        let found = try #require(title, "the page's script did not run")
        #expect(found.1 == found.2, "\(found.0)")
        // Five of all candidates, the cost of rows, and two for each candidate.
        #expect(Int(found.1) == 12)
        #expect(found.3 == "ascending")
    }
    /// Keeps a picture of the page in the folder that `FORETOKEN_SCREENSHOTS` names, for a person to look at.
    @Test(.enabled(if: chromium != nil, "no Chromium on this machine"))
    func screenshotIsAPicture() throws {
        let browser = try #require(Self.chromium)
        let folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("foretoken-screenshot-\(ProcessInfo.processInfo.processIdentifier)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let page = folder.appendingPathComponent("report.html")
        try Data(ReportPage(SampleReport.report(candidates: 3)).html().utf8).write(to: page)
        for (name, options) in [
            ("light", ["--window-size=900,2600"]),
            ("phone-dark", ["--window-size=500,3000", "--blink-settings=preferredColorScheme=0"]),
        ] {
            let picture = folder.appendingPathComponent("\(name).png")
            _ = try Self.run(
                browser, in: folder,
                options + ["--screenshot=\(picture.path)", "--hide-scrollbars", page.absoluteURL.absoluteString])
            let bytes = try Data(contentsOf: picture)
            #expect(bytes.starts(with: [0x89, 0x50, 0x4E, 0x47]))
            #expect(bytes.count > 20_000)
            if let kept = ProcessInfo.processInfo.environment["FORETOKEN_SCREENSHOTS"] {
                let target = URL(fileURLWithPath: kept).appendingPathComponent("sample-\(name).png")
                try bytes.write(to: target)
            }
        }
    }

    private static func run(_ browser: String, in folder: URL, _ arguments: [String]) throws -> (String, String) {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: browser)
        process.arguments =
            [
                "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr",
                "--user-data-dir=\(folder.path)/profile",
            ] + arguments
        let output = Pipe()
        let log = folder.appendingPathComponent("log")
        try Data().write(to: log)
        process.standardOutput = output
        process.standardError = try FileHandle(forWritingTo: log)
        try process.run()
        let printed = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return (String(decoding: printed, as: UTF8.self), String(decoding: try Data(contentsOf: log), as: UTF8.self))
    }
}
