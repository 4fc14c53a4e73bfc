/// A pre-tokenizer by the name that GGUF files give it (`tokenizer.ggml.pre`).
///
/// The expressions cut one after the other, each what the one before left, matches and gaps alike. Names and what
/// follows from them: llama.cpp's loader (facts, not code).
struct NamedPreTokenizer: Sendable {
    var expressions: [String]
    /// Tokens are bytes spelled in the byte alphabet; otherwise characters, with spaces as marks.
    var byteLevel = true
    var ignoresMerges = false
    /// Default of `add_bos_token`.
    var addsBos = false

    init(_ expressions: [String], byteLevel: Bool = true, ignoresMerges: Bool = false, addsBos: Bool = false) {
        self.expressions = expressions
        self.byteLevel = byteLevel
        self.ignoresMerges = ignoresMerges
        self.addsBos = addsBos
    }

    private static let groups: [(names: String, value: NamedPreTokenizer)] = [
        (
            "llama-bpe llama3 llama-v3 falcon3 falcon-h1 pixtral midm-2.0 lfm2 jina-v5-nano",
            .init([Patterns.llama3], ignoresMerges: true, addsBos: true)
        ),
        ("dbrx smaug-bpe chatglm-bpe", .init([Patterns.llama3])),
        ("glm4 glm5", .init([Patterns.llama3], ignoresMerges: true)),
        ("minicpm5", .init([#"\p{N}{1,3}"#, Patterns.miniCPM5], ignoresMerges: true)),
        ("jais-2", .init([Patterns.jais2])),
        (
            "gpt-2 phi-2 mpt olmo jais trillion granite-docling jina-es jina-de jina-v2-es jina-v2-de gigachat a.x-4.0"
                + " mellum modern-bert exaone4 jina-v1-en jina-v2-code roberta-bpe",
            .init([Patterns.gpt2])
        ),
        (
            "starcoder refact command-r smollm codeshell exaone minerva-7b mellum2",
            .init([#"\p{N}"#, Patterns.gpt2])
        ),
        (
            "qwen2 deepseek-r1-qwen kormo f2llmv2 megrez stablelm2 hunyuan solar-open grok-2",
            .init([Patterns.qwen2])
        ),
        ("qwen35", .init([Patterns.qwen35])),
        ("laguna", .init([#"[^\n]+|[\n]+"#, Patterns.qwen2])),
        ("ufakzeka", .init([Patterns.ufakzeka])),
        ("seed-coder", .init([Patterns.seedCoder])),
        ("bailingmoe bailingmoe2 llada-moe", .init([Patterns.bailing])),
        ("exaone-moe", .init([Patterns.exaoneMoE])),
        ("gpt-4o llama4 kanana2 talkie minimax-m2", .init([Patterns.gpt4o])),
        ("granite-embed-multi-97m", .init([Patterns.gpt4o], ignoresMerges: true)),
        ("tiny_aya cohere2moe", .init([#"\d{1,3}(?=(?:\d{3})*\b)"#, Patterns.gpt4o])),
        ("tekken", .init([Patterns.tekken], ignoresMerges: true, addsBos: true)),
        (
            "youtu",
            .init(
                ["[가-힣ㄱ-ㆎ]+|[！…“”‘’—：；，、-〿︰-﹏]+|[ㄅ-ㄯ]+|[一-龥\u{3040}-ゟ゠-ヿ]+", Patterns.youtu],
                ignoresMerges: true)
        ),
        ("kimi-k2", .init([Patterns.kimiK2])),
        ("bloom poro-chat gpt3-finnish", .init([Patterns.bloom])),
        ("viking", .init([Patterns.bloom, #"\p{N}"#])),
        (
            "deepseek-llm",
            .init([
                #"[\r\n]"#, Patterns.deepSeekLetters, Patterns.deepSeekPunctuation, #"\s+$"#,
                Patterns.deepSeekIdeographs,
                #"\p{N}+"#,
            ])
        ),
        (
            "deepseek-coder",
            .init([#"[\r\n]"#, #"\s?\p{L}+"#, #"\s?\p{P}+"#, Patterns.deepSeekIdeographs, #"\p{N}"#])
        ),
        (
            "deepseek-v3 hunyuan-dense hy_v4 joyai-llm",
            .init([#"\p{N}{1,3}"#, Patterns.ideographsAndKana, Patterns.deepSeek3])
        ),
        ("spark2_5", .init([#"\p{N}{1,3}"#, Patterns.ideographsAndKana, Patterns.spark25, #"\p{N}"#])),
        ("falcon", .init([Patterns.falconPunctuation, Patterns.gpt2, "[0-9][0-9][0-9]"])),
        (
            "chameleon",
            .init(
                [
                    "<sentinel:[0-9]+>", "IMGIMG[A-I]{1,4}Z", #"[\t\n]|    |  "#, #"\p{N}"#, Patterns.punctuation,
                    Patterns.gpt2,
                ], addsBos: true)
        ),
        ("superbpe", .init([#"\p{N}+"#, #"(?=(\d{3})+(?!\d))"#])),
        ("gemma4 granite-embed-multi-311m", .init([#"[^\n]+|[\n]+"#], byteLevel: false, addsBos: true)),
        ("sarvam-moe", .init([#"[^\n]+|[\n]+"#], byteLevel: false)),
        ("default", .init([Patterns.defaultPunctuation, Patterns.gpt2, #"\p{N}+"#, "[0-9][0-9][0-9]"])),
    ]

    static let all: [String: NamedPreTokenizer] = {
        var all: [String: NamedPreTokenizer] = [:]
        for group in groups {
            for name in group.names.split(separator: " ") { all[String(name)] = group.value }
        }
        return all
    }()
}
