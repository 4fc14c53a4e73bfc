public import Foundation
import TensorFiles

/// Reads what a graft learns from: text files, JSON lines of prompts and answers, or the stored continuations of a
/// `--self` run (formats/tuning-log.md, section 4).
public enum TrainingData {
    /// Turns text into token ids; `start` when the text begins a document.
    public typealias Encoder = (_ text: String, _ start: Bool) throws -> [Int]

    /// A plain text file is one document; a `.jsonl` file has one sequence on each line.
    public static func read(_ url: URL, encode: Encoder) throws -> [TrainingSequence] {
        let data: Data
        do {
            data = try Data(contentsOf: url, options: .alwaysMapped)
        } catch {
            throw TuningError.dataFile(file: url.path, line: nil, reason: "cannot be read: \(reason(error))")
        }
        guard ["jsonl", "json"].contains(url.pathExtension.lowercased()) else {
            guard let text = String(data: data, encoding: .utf8) else {
                throw TuningError.dataFile(file: url.path, line: nil, reason: "is not UTF-8 text")
            }
            return [TrainingSequence(tokens: try encode(text, true).map(Int32.init(clamping:)))]
        }
        var sequences: [TrainingSequence] = []
        for (number, line) in data.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated()
        {
            guard line.contains(where: { $0 > 32 }) else { continue }
            guard let entry = try? JSONDecoder().decode(Entry.self, from: Data(line)) else {
                throw TuningError.dataFile(
                    file: url.path, line: number + 1,
                    reason: "is not a JSON object whose fields have the expected types")
            }
            guard let sequence = try entry.sequence(encode) else {
                throw TuningError.dataFile(
                    file: url.path, line: number + 1,
                    reason: "needs `prompt` and `answer`, `promptTokens` and `answerTokens`, or `text`")
            }
            sequences.append(sequence)
        }
        return sequences
    }

    private static func reason(_ error: any Error) -> String {
        (error as NSError).localizedDescription
    }

    struct Entry: Codable {
        var prompt: String?
        var answer: String?
        var promptTokens: [Int32]?
        var answerTokens: [Int32]?
        var text: String?

        func sequence(_ encode: Encoder) throws -> TrainingSequence? {
            func ids(_ text: String, _ start: Bool) throws -> [Int32] {
                try encode(text, start).map(Int32.init(clamping:))
            }
            if let promptTokens, let answerTokens {
                return TrainingSequence(
                    tokens: promptTokens + answerTokens, firstAnchor: max(0, promptTokens.count - 1))
            }
            if let prompt, let answer {
                let before = try ids(prompt, true)
                return TrainingSequence(
                    tokens: before + (try ids(answer, false)), firstAnchor: max(0, before.count - 1))
            }
            if let text { return TrainingSequence(tokens: try ids(text, true)) }
            return nil
        }
    }

    /// Stores sequences as `promptTokens` and `answerTokens`, for `read`.
    public static func write(_ sequences: [TrainingSequence], to url: URL) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        var data = Data()
        for sequence in sequences {
            let end = min(sequence.tokens.count, sequence.firstAnchor + 1)
            data += try encoder.encode(
                Entry(promptTokens: Array(sequence.tokens[..<end]), answerTokens: Array(sequence.tokens[end...])))
            data.append(UInt8(ascii: "\n"))
        }
        do {
            try data.write(to: url, options: .atomic)
        } catch {
            throw TuningError.cannotWrite(file: url.path, reason: reason(error))
        }
    }
}
