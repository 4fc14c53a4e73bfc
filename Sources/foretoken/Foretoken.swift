import ArgumentParser

@main
struct Foretoken: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "foretoken",
        abstract: "Takes a language model to a small device, and proves what it lost and gained on the way.",
        version: "0.1.0",
        subcommands: [
            InspectCommand.self,
            CheckCommand.self,
            ConvertCommand.self,
            JoinCommand.self,
            TokenizeCommand.self,
            CalibrateCommand.self,
            QuantizeCommand.self,
            GraftCommand.self,
            UngraftCommand.self,
            TuneCommand.self,
            RunCommand.self,
            VerifyCommand.self,
            LogitsCommand.self,
            BenchCommand.self,
        ])

    static func main() async {
        do {
            var command = try parseAsRoot()
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
        } catch {
            ExitStatus.exit(with: error)
        }
    }
}
