import Fidelity

/// A report with every section filled, for tests of the page and of the JSON document.
enum SampleReport {
    static func candidate(_ name: String, bytes: Int, kl: Float) -> CandidateResult {
        let values = (0..<1000).map { kl * Float($0 % 97) / 48 }
        var candidate = CandidateResult(
            model: ModelSummary(
                name: name, format: "GGUF", family: "llama", bytes: bytes, parameters: 4_198_656,
                bitsPerWeight: Double(bytes) * 8 / 4_198_656, mainType: "Q4_K", perplexity: 15.4,
                perplexityError: 0.2, peakMemoryBytes: 20 << 20, tokensPerSecond: 3100),
            kl: DivergenceSummary(values: values), top1Agreement: .share(951, of: 1000), top5Overlap: 0.93,
            percentiles: (0...100).map { Double(kl) * Double($0 * $0) / 4000 },
            positions: (0..<8).map {
                PositionBucket(
                    from: $0 * 64, to: $0 * 64 + 64, kl: Double(kl) * (1 + Double($0) / 20), top1Agreement: 0.95)
            })
        candidate.layers = (-1..<4).map {
            LayerDifference(layer: $0, relativeError: 0.01 * Double($0 + 2), cosine: 0.999)
        }
        candidate.tensors = [
            TensorDifference(
                name: "blk.0.attn_q.weight", referenceType: "BF16", type: "Q4_K", bytes: 36864, bitsPerWeight: 4.5,
                relativeError: 0.061)
        ]
        candidate.passages = [
            Passage(
                position: 812, kl: 1.9, before: "def <main>(argv):\n    ", token: "return",
                reference: [.init(text: "return", probability: 0.7)],
                candidate: [.init(text: "\"\"\"", probability: 0.5)])
        ]
        candidate.equality = Equality(prompts: 40, tokens: 4000, forks: [])
        candidate.decoders = [
            DecoderResult(
                name: "plain", masks: 0, acceptance: 1, tokensPerSecond: 3100, speedup: 1, speedupLow: 0.98,
                speedupHigh: 1.02)
        ]
        for name in ["linear", "quadratic"] {
            for masks in 1...8 {
                let acceptance = 1 + Double(masks) / Double(masks + 3)
                candidate.decoders.append(
                    DecoderResult(
                        name: name, masks: masks, acceptance: acceptance, tokensPerSecond: 3100 * acceptance * 0.8,
                        speedup: acceptance * 0.8, speedupLow: acceptance * 0.75, speedupHigh: acceptance * 0.85))
            }
        }
        candidate.forward = [1, 2, 4, 8, 9, 16, 25, 32, 81].map {
            ForwardTime(rows: $0, seconds: 0.0003 * (1 + 0.08 * Double($0 - 1)))
        }
        return candidate
    }

    static func report(candidates: Int = 1) -> FidelityReport {
        let all = (0..<candidates).map {
            candidate("pycode-\($0) <q4_k_m>", bytes: 3_000_000 - 300_000 * $0, kl: 0.015 * Float($0 + 1))
        }
        return FidelityReport(
            reference: ModelSummary(
                name: "pycode", format: "safetensors", family: "llama", bytes: 8_397_312, parameters: 4_198_656,
                bitsPerWeight: 16, mainType: "BF16", perplexity: 15.1, perplexityError: 0.2),
            candidates: all, passed: true, verdict: "What was lost is small & what was gained is real.",
            limits: [LimitResult(candidate: "pycode-0", name: "mean KL", limit: 0.05, value: 0.015, passed: true)],
            recommended: candidates > 1 ? all[0].model.name : nil,
            text: TextSummary(name: "code-heldout.txt", tokens: 20480, scored: 10200, context: 512),
            command: "foretoken verify pycode pycode-q4_k_m.gguf",
            machine: MachineSummary(
                processor: "test", threads: 2, instructionSet: "scalar", date: "2026-01-01", version: "0.1.0"))
    }
}
