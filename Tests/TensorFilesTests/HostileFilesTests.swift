import Foundation
import TensorFiles
import TestSupport
import Testing

/// Every file of fixtures/hostile breaks the rule that its name starts with.
@Suite struct HostileFilesTests {
    static let folder = TestFiles.fixtures.appendingPathComponent("hostile")
    static let names: [String] = {
        let found = try? FileManager.default.contentsOfDirectory(atPath: folder.path)
        return (found ?? []).sorted()
    }()

    @Test func areThere() { #expect(Self.names.count > 100) }

    @Test(arguments: names) func namesTheBrokenRule(name: String) throws {
        let rule = try #require(Rule(rawValue: String(name.prefix(5))))
        let path = Self.folder.appendingPathComponent(name).path
        let check = try CheckpointCheck.run(path)
        let problem = try #require(
            check.problems.first { $0.rule == rule }, "found \(check.problems.map(\.rule.rawValue))")
        #expect(!problem.message.isEmpty && !problem.description.contains("\n"))
        #expect(!check.passed)
        guard rule.severity == .error else { return }
        let error = #expect(throws: TensorFileError.self) { try Checkpoint.open(path) }
        #expect(error?.kind == .input)
    }

    /// A rule without a file is a rule that nobody tests; those that need a folder of our own making are elsewhere.
    @Test func everyRuleHasAFile() {
        let tested = Set(Self.names.map { String($0.prefix(5)) })
        let elsewhere: Set<Rule> = [
            .unknownEntryField, .totalSize, .ggufBool, .ggufNotText, .splitMissing, .splitCount, .splitTensorCount,
            .splitTensorTwice, .digestMismatch, .digestKeys, .comparedMissing, .comparedExtra, .comparedShape,
            .comparedError,
        ]
        for rule in Rule.allCases where !elsewhere.contains(rule) {
            #expect(tested.contains(rule.rawValue), "\(rule) has no file in fixtures/hostile")
        }
    }

    @Test func tellsEveryProblemOfAFolder() throws {
        let check = try CheckpointCheck.run(Self.folder.appendingPathComponent("IX-10-other-shard").path)
        #expect(check.problems.count { $0.rule == .tensorInOtherShard } == 2)
        #expect(check.problems.contains { $0.rule == .totalSize })
    }

    @Test func saysHowManyBytesAreMissingOrTooMany() throws {
        func message(_ name: String) throws -> String {
            try CheckpointCheck.run(Self.folder.appendingPathComponent(name).path).problems[0].message
        }
        #expect(try message("ST-17-cut-short.safetensors").contains("1 are missing"))
        #expect(try message("ST-18-trailing.safetensors").hasPrefix("2 bytes follow"))
        #expect(try message("ST-03-header-cut-short.safetensors").contains("9 bytes of the header are missing"))
        #expect(try message("GG-22-cut-short.gguf").contains("1 bytes are missing"))
        #expect(try message("GG-23-trailing.gguf").hasPrefix("33 bytes follow"))
    }
}
