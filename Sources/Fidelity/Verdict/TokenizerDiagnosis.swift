import Tokenizers

/// Whether two models mean the same text by the same ids.
enum TokenizerDiagnosis {
    /// Compares the texts of all ids and the ids of a sample; `nil` when both agree or one has no tokenizer.
    static func finding(reference: Subject, candidate: Subject, sample: String) -> Finding? {
        guard let expected = reference.tokenizer else { return nil }
        guard let found = candidate.tokenizer else {
            return Finding(
                cause: "tokenizer", severity: .failure,
                message: "the candidate carries no tokenizer that can be read "
                    + "(\(candidate.tokenizerProblem ?? "none found")); the reference's was used")
        }
        let size = min(expected.vocabularySize, found.vocabularySize)
        let differing = (0..<size).filter { expected.tokenText($0) != found.tokenText($0) }
        // A few renamed reserved tokens do no harm; what the sample becomes decides.
        let left = try? expected.encode(sample)
        let right = try? found.encode(sample)
        guard left != right else { return nil }
        var message = "the tokenizers differ: "
        if let id = differing.first {
            message +=
                "\(differing.count) of \(size) ids stand for other text, the first is \(id) "
                + "(\(shown(expected, id)) in the reference, \(shown(found, id)) in the candidate)"
        } else {
            message += "the same vocabulary splits the text into other tokens (merges or pre-tokenizer differ)"
        }
        return Finding(
            cause: "tokenizer", severity: .failure,
            message: message + ". Convert the candidate again with the tokenizer files of its own model.")
    }

    private static func shown(_ tokenizer: Tokenizer, _ id: Int) -> String {
        tokenizer.tokenText(id).map { "“" + String(decoding: $0, as: UTF8.self) + "”" } ?? "nothing"
    }
}
