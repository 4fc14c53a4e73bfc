import Foundation
import TensorFiles
import TestSupport
import Testing
import Tokenizers

/// Files that lie. Every one is refused, or read as something; none traps.
@Suite struct HostileInputTests {
    static let small = """
        {"version": "1.0", "added_tokens": [{"id": 9, "content": "<s>", "special": true, "lstrip": true},
        {"id": 10, "content": "ab", "special": false, "normalized": true, "rstrip": true, "single_word": true}],
        "normalizer": {"type": "Sequence", "normalizers": [{"type": "NFC"}, {"type": "Prepend", "prepend": "_"},
        {"type": "Replace", "pattern": {"String": " "}, "content": "_"}, {"type": "Strip"}, {"type": "Lowercase"}]},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "Split", "pattern": {"Regex": "[^ab]|a+"},
        "behavior": "MergedWithNext", "invert": false}, {"type": "Digits", "individual_digits": false},
        {"type": "Metaspace", "replacement": "_", "prepend_scheme": "first"}]},
        "post_processor": {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}},
        {"Sequence": {"id": "A", "type_id": 0}}], "special_tokens": {"<s>": {"id": "<s>", "ids": [9]}}},
        "decoder": {"type": "Sequence", "decoders": [{"type": "ByteFallback"}, {"type": "Fuse"},
        {"type": "Strip", "content": " ", "start": 1, "stop": 0}]},
        "model": {"type": "BPE", "unk_token": "u", "fuse_unk": true, "byte_fallback": true, "vocab": {"a": 0, "b": 1,
        "ab": 2, "aab": 3, "_": 4, "u": 5, "<0x0A>": 6, "<0x63>": 7, "_a": 8},
        "merges": ["a b", ["a", "ab"], "_ a"]}}
        """

    private func tokenizer(json: String, in folder: URL) throws -> Tokenizer {
        let url = folder.appendingPathComponent("tokenizer.json")
        try Data(json.utf8).write(to: url)
        return try Tokenizer(path: url.path)
    }

    private func folder<Result>(_ body: (URL) throws -> Result) throws -> Result {
        let folder = try TestFiles.temporaryFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        return try body(folder)
    }

    @Test("tokenizer.json with bytes changed, cut and repeated never traps")
    func mutatedJSON() throws {
        try folder { folder in
            let original = Array(Self.small.utf8)
            let whole = try tokenizer(json: Self.small, in: folder)
            #expect(try whole.decode(whole.encode("aab ab c\n")).isEmpty == false)
            var random = SeededGenerator(seed: 1)
            let url = folder.appendingPathComponent("tokenizer.json")
            var read = 0
            for _ in 0..<3000 {
                var bytes = original
                for _ in 0..<Int.random(in: 1...2, using: &random) { Self.mutate(&bytes, &random) }
                try Data(bytes).write(to: url)
                guard let tokenizer = try? Tokenizer(path: url.path) else { continue }
                read += 1
                let ids = (try? tokenizer.encode("aab <s> ab12 ü\n ab", addSpecialTokens: true)) ?? []
                _ = try? tokenizer.decode(ids)
            }
            // Neither all nor none: the test would be blind.
            #expect(read > 100 && read < 2900, "\(read)")
        }
    }

    @Test(
        "tokenizer.model with bytes changed never traps", .enabled(if: TestFiles.hasShared, "shared data is absent"))
    func mutatedModel() throws {
        let url = TestFiles.shared("data/models/stories260K/tokenizer.model")
        let original = Array(try Data(contentsOf: url))
        try folder { folder in
            var random = SeededGenerator(seed: 2)
            let copy = folder.appendingPathComponent("tokenizer.model")
            var read = 0
            for _ in 0..<1500 {
                var bytes = original
                for _ in 0..<Int.random(in: 1...6, using: &random) { Self.mutate(&bytes, &random) }
                try Data(bytes).write(to: copy)
                guard let tokenizer = try? Tokenizer(path: copy.path) else { continue }
                read += 1
                let ids = (try? tokenizer.encode("Once upon <s> a time ü\n", addSpecialTokens: true)) ?? []
                _ = try? tokenizer.decode(ids)
            }
            #expect(read > 50 && read < 1450)
        }
    }

    private static func mutate(_ bytes: inout [UInt8], _ random: inout SeededGenerator) {
        guard bytes.count > 8 else { return }
        let place = Int.random(in: 0..<bytes.count, using: &random)
        switch Int.random(in: 0..<5, using: &random) {
        case 0: bytes[place] = UInt8.random(in: 0...255, using: &random)
        case 1: bytes[place] ^= 1 << UInt8.random(in: 0...7, using: &random)
        case 2:
            bytes.removeSubrange(place..<min(bytes.count, place + Int.random(in: 1...20, using: &random)))
        case 3:
            let end = min(bytes.count, place + Int.random(in: 1...40, using: &random))
            bytes.insert(contentsOf: bytes[place..<end], at: place)
        default: bytes[place] = Array("0123456789\",:[]{}-".utf8).randomElement(using: &random)!
        }
    }

    @Test("GGUF vocabularies that contradict themselves never trap")
    func mutatedMetadata() {
        var random = SeededGenerator(seed: 3)
        let texts = ["a", "b", "ab", "▁", "", "<0x0A>", "Ġ", "a b", "\u{FFFD}", " ", "<s>"]
        var read = 0
        for _ in 0..<2000 {
            let count = Int.random(in: 0...6, using: &random)
            var metadata = GGUFMetadata()
            metadata["tokenizer.ggml.model"] = .string(
                ["gpt2", "llama", "t5", "gemma4", "bert"].randomElement(using: &random)!)
            metadata["tokenizer.ggml.pre"] = .string(
                ["default", "llama-bpe", "gemma4", "tekken", "none"].randomElement(using: &random)!)
            metadata["tokenizer.ggml.tokens"] = .array(
                GGUFArray((0..<count).map { _ in texts.randomElement(using: &random)! }))
            metadata["tokenizer.ggml.scores"] = .array(
                GGUFArray((0..<Int.random(in: 0...7, using: &random)).map { Float($0) * .nan }))
            metadata["tokenizer.ggml.token_type"] = .array(
                GGUFArray((0..<6).map { _ in Int32.random(in: -1...8, using: &random) }))
            metadata["tokenizer.ggml.merges"] = .array(
                GGUFArray((0..<3).map { _ in texts.randomElement(using: &random)! }))
            for name in ["bos", "eos", "unknown", "padding"] {
                metadata["tokenizer.ggml.\(name)_token_id"] = .uint32(UInt32.random(in: 0...9, using: &random))
            }
            metadata["tokenizer.ggml.precompiled_charsmap"] = .array(
                GGUFArray(
                    (0..<Int.random(in: 0...40, using: &random)).map { _ in UInt8.random(in: 0...9, using: &random) })
            )
            guard let tokenizer = try? Tokenizer(gguf: metadata, file: "x.gguf") else { continue }
            read += 1
            let ids = (try? tokenizer.encode("ab a\n b <s>ü", addSpecialTokens: true, parseSpecial: true)) ?? []
            _ = try? tokenizer.decode(ids)
            if let vocabulary = try? GGUFVocabulary(metadata: metadata, file: "x.gguf") {
                _ = try? HubTokenizerFiles(vocabulary)
                _ = vocabulary.metadata
            }
        }
        #expect(read > 100)
    }

    @Test("Each rule that is broken is named")
    func rules() throws {
        try folder { folder in
            func failure(_ old: String, _ new: String) -> String {
                do {
                    _ = try tokenizer(json: Self.small.replacingOccurrences(of: old, with: new), in: folder)
                    return "accepted"
                } catch { return "\(error)" }
            }
            #expect(failure("\"a b\"", "\"a  b\"").contains("exactly one space"))
            #expect(failure("\"a b\"", "[\"a\", \"x\"]").contains("\"x\" is not in the vocabulary"))
            #expect(
                failure("\"BPE\"", "\"WordPiece\"").contains("\"WordPiece\" is not supported; known: BPE, Unigram"))
            #expect(failure("\"Lowercase\"", "\"Shout\"").contains("\"Shout\" is not supported"))
            #expect(failure("[^ab]|a+", "[^ab").contains("pre-tokenizer pattern [^ab"))
            #expect(failure("\"_a\": 8", "\"_a\": 4294967296").contains("id 4294967296 is outside"))
            #expect(failure("\"_a\": 8", "\"_a\": 4").contains("both have id 4"))
            #expect(failure("\"_a\": 8", "\"_a\": \"8\"").contains("expected an integer"))
            #expect(failure("\"ids\": [9]", "\"idz\": [9]").contains("special_tokens.<s>.ids"))
            #expect(throws: TokenizerError.self) { try Tokenizer(path: folder.path + "/nothing-here") }
        }
    }

    @Test("A pattern that backtracks without end is stopped")
    func catastrophe() throws {
        try folder { folder in
            let json = Self.small.replacingOccurrences(of: "[^ab]|a+", with: "(a+a+)+[bc]")
            let tokenizer = try tokenizer(json: json, in: folder)
            #expect(throws: TokenizerError.self) { try tokenizer.encode(String(repeating: "a", count: 5000)) }
        }
    }

    @Test("Ids that are none are refused")
    func unknownIds() throws {
        try folder { folder in
            let tokenizer = try tokenizer(json: Self.small, in: folder)
            #expect(throws: TokenizerError.unknownId(id: 11, vocabularySize: 11)) { try tokenizer.decode([0, 11]) }
            #expect(throws: TokenizerError.unknownId(id: -1, vocabularySize: 11)) { try tokenizer.decode([-1]) }
        }
    }
}
