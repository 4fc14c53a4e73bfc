import Kernels
import Runtime
import Tokenizers

func continuation(of text: String, model path: String) throws -> String {
    let model = try LanguageModel(path: path, pool: WorkerPool(threads: 2))
    let prompt = try model.requireTokenizer().encode(text, addSpecialTokens: true)
    let decoder = PlainDecoder(try model.sequence(positions: 64, precision: .f16))
    let generator = Generator(limit: 16, stops: [], endTokens: model.endTokens, tokenizer: model.tokenizer)
    return try generator.run(decoder, prompt: prompt, capacity: 64) { _ in }.text
}
