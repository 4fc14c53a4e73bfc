import ArgumentParser
import Conversion
import Foundation

struct JoinCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "join",
        abstract: "Puts together what `--part I/N` runs made, after checking that nothing is missing or differs.")

    @Argument(help: "The parts, in any order.")
    var parts: [String]

    @Option(name: [.short, .long], help: "The file, or for a Hub directory the folder, to write.")
    var output: String

    @Flag(help: "Go on with an interrupted run, at the next tensor.")
    var resume = false

    @Flag(help: "Replace an output that exists.")
    var force = false

    @OptionGroup var common: CommonOptions

    func run() throws {
        let join = try JoinPlan(parts)
        let url = URL(fileURLWithPath: output)
        let plan = try join.plan(name: join.isGGUF ? url.lastPathComponent : nil)
        let engine = ConversionEngine(.init(threads: common.threadCount, overwrites: force, resumes: resume))
        let line = ProgressLine(quiet: common.quiet)
        try engine.run(
            plan, folder: join.isGGUF ? url.deletingLastPathComponent().path : output, progress: line.handler)
        let report = PlanReport(plan, peakMemoryBytes: engine.peakWorkBytes(plan))
        if common.json {
            try Console.json(report)
        } else if !common.quiet {
            Console.standardOutput("\(output): \(report.tensors.count) tensors, \(ByteSize.text(report.bytes))\n")
        }
    }
}

/// `I/N`: which part of a conversion this machine does.
struct PartOption: ExpressibleByArgument {
    let number: Int
    let count: Int

    init?(argument: String) {
        let sides = argument.split(separator: "/", omittingEmptySubsequences: false).map { Int($0) }
        guard sides.count == 2, let number = sides[0], let count = sides[1], number >= 1, number <= count,
            count <= 10_000
        else { return nil }
        self.number = number
        self.count = count
    }

    /// Where the part of an output goes: beside it, under its name and the part's.
    func file(for output: String) -> URL {
        let url = URL(fileURLWithPath: output).standardizedFileURL
        return url.deletingLastPathComponent()
            .appendingPathComponent("\(url.lastPathComponent).part-\(number)-of-\(count)")
    }
}
