import ArgumentParser
import Conversion
import Kernels
import ModelGraph
import TensorFiles

struct CheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Checks a model's files: every rule of the format, shards, digests, contents.",
        discussion: """
            MODEL is a Hub directory, a .safetensors or a .gguf file. Every broken rule is named, not only the first; \
            formats/ says what the rules are. Digests tell damage, not forgery.

            Exit status: 0 nothing found, 1 something found, 3 there is nothing to check.
            """)

    @Argument(help: "The model to check.")
    var model: String

    @Option(help: "Another form of the same model; the two are compared tensor by tensor.")
    var against: String?

    @Option(
        name: .customLong("max-error"),
        help: "With --against: the largest relative error a tensor may have (default: report, do not judge).")
    var maximumError: Double?

    @Flag(name: .customLong("structure-only"), help: "Do not read the tensors' bytes.")
    var structureOnly = false

    @OptionGroup var common: CommonOptions

    func validate() throws {
        if maximumError != nil, against == nil { throw ValidationError("--max-error needs --against") }
    }

    func run() throws {
        let progress = ProgressLine(quiet: common.quiet || common.json)
        let check = try CheckpointCheck.run(
            model, contents: !structureOnly, threads: common.threadCount, progress: progress.handler)
        var problems = try Self.withoutGrafts(check)
        var comparison: CheckpointComparison?
        if let against, let checkpoint = check.checkpoint {
            let reference = try Checkpoint.open(against)
            let compared = try CheckpointComparison(
                reference: reference, candidate: checkpoint, threads: common.threadCount, progress: progress.handler)
            problems += compared.problems + errorsBeyondLimit(compared)
            comparison = compared
        }
        let passed = problems.allSatisfy { $0.rule.severity == .note }
        if common.json {
            try Console.json(CheckReport(check, problems, comparison, passed: passed))
        } else {
            Console.standardOutput(text(check, problems, comparison))
        }
        if !passed { throw ExitCode(FailureKind.negative.rawValue) }
    }

    /// A graft inside a model's file follows its last tensor, and is no damage; its own digest is checked instead.
    private static func withoutGrafts(_ check: CheckpointCheck) throws -> [Problem] {
        try check.problems.filter { problem in
            guard problem.rule == .ggufTrailingBytes,
                let file = check.checkpoint?.files.first(where: { $0.file.path == problem.file })?.file,
                let graft = try InlineGraft.find(in: file)
            else { return true }
            let found = file.withBytes(graft.sidecar) { TensorDigest(of: $0) }
            return found.description != graft.digest
        }
    }

    private func errorsBeyondLimit(_ comparison: CheckpointComparison) -> [Problem] {
        guard let maximumError else { return [] }
        return comparison.rows.compactMap { row in
            let difference = row.difference
            guard difference.relativeError > maximumError || difference.mismatchedNumbers > 0 else { return nil }
            return Problem(
                .comparedError, file: model, tensor: row.name,
                "relative error \(difference.relativeError), \(difference.mismatchedNumbers) numbers against none; "
                    + "\(maximumError) is allowed")
        }
    }

    private func text(
        _ check: CheckpointCheck, _ problems: [Problem], _ comparison: CheckpointComparison?
    ) -> String {
        var lines = problems.map { problem in
            problem.rule.severity == .note ? "note: \(problem)" : "\(problem)"
        }
        if check.omittedProblems > 0 { lines.append("and \(check.omittedProblems) problems more") }
        if let comparison { lines += Self.table(comparison) }
        let serious = problems.count { $0.rule.severity != .note } + check.omittedProblems
        let tensors = check.checkpoint?.tensors.count ?? 0
        let bytes = ByteSize.text(check.checkpoint?.byteCount ?? 0)
        let digests = check.verifiedDigests > 0 ? ", \(check.verifiedDigests) digests compared" : ""
        lines.append(
            serious == 0
                ? "\(model): sound: \(tensors) tensors, \(bytes)\(digests)"
                : "\(model): \(serious) problem\(serious == 1 ? "" : "s")")
        return lines.joined(separator: "\n") + "\n"
    }

    private static func table(_ comparison: CheckpointComparison) -> [String] {
        let differing = comparison.rows.filter {
            $0.difference.relativeError > 0 || $0.difference.mismatchedNumbers > 0
        }
        let worst = differing.sorted { $0.difference.relativeError > $1.difference.relativeError }
        var lines = worst.prefix(20).map { row in
            "\(row.name): \(row.reference.rawValue) -> \(row.candidate.rawValue): "
                + "relative error \(row.difference.relativeError), largest \(row.difference.maximumAbsoluteError)"
        }
        if worst.count > 20 { lines.append("… and \(worst.count - 20) tensors more (--json has all)") }
        lines.append(
            "compared by \(comparison.pairing.rawValue): \(comparison.rows.count) tensors, "
                + "\(comparison.rows.count - differing.count) equal")
        return lines
    }
}

/// The document of `check --json`.
private struct CheckReport: Encodable {
    struct Item: Encodable {
        var rule: String
        var severity: String
        var file: String
        var tensor: String?
        var offset: Int?
        var message: String

        enum CodingKeys: CodingKey { case rule, severity, file, tensor, offset, message }

        /// Every field is there for every problem, as `null` where there is nothing to say.
        func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(rule, forKey: .rule)
            try container.encode(severity, forKey: .severity)
            try container.encode(file, forKey: .file)
            try container.encode(tensor, forKey: .tensor)
            try container.encode(offset, forKey: .offset)
            try container.encode(message, forKey: .message)
        }
    }

    struct Comparison: Encodable {
        struct Row: Encodable {
            var name: String
            var reference: String
            var candidate: String
            var identical: Bool
            var relativeError: Double
            var maximumAbsoluteError: Double
            var mismatchedNumbers: Int
        }
        var pairing: CheckpointComparison.Pairing
        var equal: Bool
        var tensors: [Row]
    }

    var passed: Bool
    var format: String?
    var files: Int
    var tensors: Int
    var bytes: Int
    var verifiedDigests: Int
    var problems: [Item]
    var omittedProblems: Int
    var comparison: Comparison?

    init(_ check: CheckpointCheck, _ problems: [Problem], _ comparison: CheckpointComparison?, passed: Bool) {
        self.passed = passed
        format = check.checkpoint?.format.rawValue
        files = check.checkpoint?.files.count ?? 0
        tensors = check.checkpoint?.tensors.count ?? 0
        bytes = check.checkpoint?.byteCount ?? 0
        verifiedDigests = check.verifiedDigests
        omittedProblems = check.omittedProblems
        self.problems = problems.map {
            Item(
                rule: $0.rule.rawValue, severity: $0.rule.severity.rawValue, file: $0.file, tensor: $0.tensor,
                offset: $0.offset, message: $0.message)
        }
        self.comparison = comparison.map { comparison in
            Comparison(
                pairing: comparison.pairing, equal: comparison.areEqual,
                tensors: comparison.rows.map { row in
                    Comparison.Row(
                        name: row.name, reference: row.reference.rawValue, candidate: row.candidate.rawValue,
                        identical: row.difference.identical, relativeError: row.difference.relativeError,
                        maximumAbsoluteError: row.difference.maximumAbsoluteError,
                        mismatchedNumbers: row.difference.mismatchedNumbers)
                })
        }
    }
}
