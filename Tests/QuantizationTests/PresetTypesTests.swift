import Foundation
import Quantization
import TensorFiles
import TestSupport
import Testing

/// Every preset's types against those that llama-quantize chose for four models: fixtures/golden/preset-types.json.
@Suite struct PresetTypesTests {
    struct Model: Decodable {
        var layers: Int
        var heads: Int
        var keyValueHeads: Int
        var experts: Int
        /// By name, `*` for the block.
        var shapes: [String: [Int]]
        /// Of each preset, alone or `+importance`, for each name the types block by block: `3*Q6_K Q4_K`.
        var presets: [String: [String: String]]

        var subjects: [QuantizationSubject] {
            shapes.sorted { $0.key < $1.key }.flatMap { name, shape in
                names(name).map { QuantizationSubject(name: $0, shape: shape, sourceType: .f32) }
            }
        }

        func names(_ pattern: String) -> [String] {
            guard pattern.contains("*") else { return [pattern] }
            return (0..<layers).map { pattern.replacing("*", with: "\($0)") }
        }
    }

    static func models() throws -> [String: Model] {
        let file = TestFiles.fixtures.appendingPathComponent("golden/preset-types.json")
        return try JSONDecoder().decode([String: Model].self, from: Data(contentsOf: file))
    }

    private static func expanded(_ runs: String) -> [String] {
        runs.split(separator: " ").flatMap { run -> [String] in
            let parts = run.split(separator: "*")
            return parts.count == 2
                ? Array(repeating: String(parts[1]), count: Int(parts[0]) ?? 0) : [String(run)]
        }
    }

    @Test(arguments: ["pycode", "deep", "seventy", "experts"])
    func presetsChooseLlamaQuantizesTypes(name: String) throws {
        let model = try #require(try Self.models()[name])
        let subjects = model.subjects
        for (key, expected) in model.presets.sorted(by: { $0.key < $1.key }) {
            let preset = try #require(Preset(name: key.replacing("+importance", with: "")))
            let context = QuantizationContext(
                layerCount: model.layers, headCount: model.heads, keyValueHeadCount: model.keyValueHeads,
                expertCount: model.experts, hasImportance: key.hasSuffix("+importance"))
            let plan = TypePlan(preset: preset, subjects, context)
            for (pattern, runs) in expected {
                let types = Self.expanded(runs)
                let names = model.names(pattern)
                #expect(types.count == names.count)
                for (name, type) in zip(names, types) {
                    #expect(plan[name]?.type.rawValue == type, "\(key) \(name)")
                }
            }
        }
    }
}
