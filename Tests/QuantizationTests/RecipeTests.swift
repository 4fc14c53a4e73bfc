import Foundation
import Quantization
import TensorFiles
import Testing

/// formats/recipe.md: who a rule is about, which rule decides, and what is refused.
@Suite struct RecipeTests {
    static let subjects: [QuantizationSubject] = {
        var subjects = [
            QuantizationSubject(name: "token_embd.weight", shape: [64, 256], sourceType: .f32),
            QuantizationSubject(name: "output_norm.weight", shape: [256], sourceType: .f32),
        ]
        for block in 0..<6 {
            for (name, shape) in [
                ("attn_norm", [256]), ("attn_q", [256, 256]), ("attn_k", [128, 256]), ("attn_v", [128, 256]),
                ("attn_output", [256, 256]), ("ffn_gate", [512, 256]), ("ffn_up", [512, 256]),
                ("ffn_down", [256, 512]),
            ] {
                subjects.append(.init(name: "blk.\(block).\(name).weight", shape: shape, sourceType: .f16))
            }
        }
        return subjects
    }()

    private static func plan(_ recipe: Recipe) throws -> TypePlan {
        try TypePlan(recipe: recipe, subjects, QuantizationContext(layerCount: 6, headCount: 8, keyValueHeadCount: 4))
    }

    private static func recipe(_ json: String) throws -> Recipe {
        try JSONDecoder().decode(Recipe.self, from: Data(json.utf8))
    }

    @Test func theFirstRuleThatFitsDecides() throws {
        let plan = try Self.plan(
            Self.recipe(
                """
                {"base": "q4_0", "rules": [
                    {"names": "blk.2.*", "role": "down", "type": "keep"},
                    {"roles": ["value", "down"], "layers": "0-1,-2-", "type": "q6_k", "method": "nearest"},
                    {"role": "down", "type": "q5_k"},
                    {"names": "*attn_output*", "layers": 3, "type": "q8_0"}]}
                """))
        func type(_ name: String) -> ElementType? { plan["blk.\(name).weight"]?.type }
        #expect((0..<6).map { type("\($0).ffn_down") } == [.q6_K, .q6_K, .f16, .q5_K, .q6_K, .q6_K])
        #expect((0..<6).map { type("\($0).attn_v") } == [.q6_K, .q6_K, .q4_0, .q4_0, .q6_K, .q6_K])
        #expect((0..<6).map { type("\($0).attn_output") } == [.q4_0, .q4_0, .q4_0, .q8_0, .q4_0, .q4_0])
        #expect(type("0.attn_norm") == .f32)
        #expect(plan["blk.2.ffn_down.weight"]?.reason == "rule 1")
        #expect(plan["blk.3.ffn_down.weight"]?.reason == "rule 3")
        #expect(plan["blk.4.attn_v.weight"]?.method == .nearest)
        #expect(plan["blk.3.attn_v.weight"]?.reason == "base q4_0")
    }

    /// A preset as a rule's type brings its mixture along.
    @Test func rulesMayNamePresets() throws {
        let plan = try Self.plan(
            Recipe(
                base: "q8_0", rules: [.init(layers: "3-", type: "q4_k_m"), .init(roles: ["embedding"], type: "keep")])
        )
        let mixture = TypePlan(
            preset: .q4_k_m, Self.subjects, QuantizationContext(layerCount: 6, headCount: 8, keyValueHeadCount: 4))
        for subject in Self.subjects where subject.kind != .protected {
            let expected: ElementType? =
                switch subject.block {
                case .some(3...): mixture[subject.name]?.type
                case .some: .q8_0
                case nil: .f32
                }
            #expect(plan[subject.name]?.type == expected, "\(subject.name)")
        }
    }

    /// RC-01, RC-02, RC-03, QP-01.
    @Test(
        arguments: [
            (Recipe.Rule(roles: ["vaule"], type: "q4_0"), "did you mean \"value\""),
            (Recipe.Rule(names: "blk.0.ffn_dwon.weight", type: "q4_0"), "did you mean \"blk.0.ffn_down.weight\""),
            (Recipe.Rule(roles: ["queryKeyValue"], type: "q4_0"), "is about no tensor of this model"),
            (Recipe.Rule(layers: "7-", type: "q4_0"), "layers 7-) is about no tensor"),
            (Recipe.Rule(layers: "3-1", type: "q4_0"), "\"3-1\" is no list of layers"),
            (Recipe.Rule(roles: ["value"], type: "q4_k_n"), "did you mean \"q4_k_m\" or \"q4_k_s\""),
            (Recipe.Rule(roles: ["value"], type: "iq2_xs"), "IQ2_XS can be read but not written"),
            (Recipe.Rule(roles: ["value"]), "neither a type nor a method"),
        ])
    func whatMeansNothingIsRefusedWithTheNearestNames(rule: Recipe.Rule, words: String) throws {
        let error = #expect(throws: QuantizationError.self) {
            try Self.plan(Recipe(base: "q8_0", rules: [.init(roles: ["query"], type: "q6_k"), rule]))
        }
        #expect(error?.description.contains(words) == true, "\(error?.description ?? "no error")")
        #expect(error?.kind == .usage)
    }

    /// RC-04.
    @Test func keysTypedWrongAreRefused() throws {
        for json in [
            #"{"base": "q8_0", "rulez": []}"#, #"{"base": "q8_0", "rules": [{"rolls": ["value"], "type": "q4_0"}]}"#,
            #"{"rules": []}"#, #"{"base": "q8_0", "method": "guess"}"#,
        ] {
            #expect(throws: DecodingError.self, "\(json)") { try Self.recipe(json) }
        }
    }

    @Test(arguments: Preset.allCases) func presetsKeepVectorsAndNameTheirFile(preset: Preset) throws {
        let plan = try Self.plan(Recipe(base: preset.rawValue))
        #expect(plan.fileType == preset.fileType)
        for entry in plan.entries where entry.subject.shape.count == 1 {
            #expect(entry.type == .f32, "\(entry.subject.name)")
        }
    }
}
