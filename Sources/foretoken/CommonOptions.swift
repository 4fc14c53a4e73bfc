import ArgumentParser
import Foundation

/// What every subcommand takes.
struct CommonOptions: ParsableArguments {
    @Option(name: .long, help: "How many threads to use (default: the machine's cores). Never changes a result.")
    var threads: Int?

    @Flag(name: .long, help: "Print nothing but the result.")
    var quiet = false

    @Flag(name: .long, help: "Print one JSON document on standard output.")
    var json = false

    var threadCount: Int { max(1, threads ?? ProcessInfo.processInfo.activeProcessorCount) }

    func validate() throws {
        if let threads, threads < 1 || threads > 1024 {
            throw ValidationError("--threads must be from 1 to 1024, not \(threads)")
        }
    }
}
