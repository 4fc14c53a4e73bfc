import Foundation
import ModelGraph
import TensorFiles
import Tokenizers

/// The tokenizer that goes with a model, in the words of the target.
struct SourceTokenizer {
    /// `tokenizer.*` keys; empty where the source is a GGUF, whose own are kept, or has no tokenizer.
    private(set) var metadata = GGUFMetadata()
    private(set) var notes: [String] = []

    init(_ graph: ModelGraph) throws {
        guard let origin = graph.origin, origin.dialect == .hub else { return }
        let rows = graph.configuration.vocabularySize
        let vocabulary: GGUFVocabulary
        do {
            vocabulary = try GGUFVocabulary(
                directory: origin.folder, architecture: origin.architecture.gguf.architecture, vocabularySize: rows)
        } catch TokenizerError.notFound {
            notes.append("\(origin.folder) has no tokenizer; the GGUF will not have one either")
            return
        }
        guard vocabulary.tokens.count <= rows else {
            throw ConversionError.vocabulary(file: origin.folder, tokens: vocabulary.tokens.count, rows: rows)
        }
        for (key, value) in vocabulary.metadata { metadata[key] = value }
        notes += vocabulary.notes
    }

    /// Files that a Hub directory has beside tensors and `config.json`.
    private static let hubNames = [
        "tokenizer.json", "tokenizer.model", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
        "vocab.json", "merges.txt", "chat_template.jinja", "chat_template.json", "generation_config.json",
    ]

    static func hubFiles(
        _ graph: ModelGraph
    ) throws -> (files: [(name: String, bytes: [UInt8])], notes: [String]) {
        guard let origin = graph.origin else { return ([], []) }
        switch origin.dialect {
        case .hub:
            let files = try hubNames.compactMap { name in
                try origin.checkpoint?.sideFile(name).map { (name, $0.withBytes { $0.copied() }) }
            }
            return (files, [])
        case .gguf:
            guard let metadata = origin.metadata else { return ([], []) }
            var files: [(name: String, bytes: [UInt8])] = []
            var notes: [String] = []
            if metadata["tokenizer.ggml.model"] != nil {
                let vocabulary = try GGUFVocabulary(metadata: metadata, file: origin.path)
                files += try HubTokenizerFiles(vocabulary).files
                notes += vocabulary.notes
            } else {
                notes.append("\(origin.path) has no tokenizer; the Hub directory will not have one either")
            }
            if let text = metadata[HubMemory.generationKey]?.string {
                files.append(("generation_config.json", Array(text.utf8)))
            }
            return (files, notes)
        }
    }
}
