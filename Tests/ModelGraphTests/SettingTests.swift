import ModelGraph
import TensorFiles
import Testing

@Suite struct SettingTests {
    /// transformers refuses a whole number where it declares a real one, and the other way round.
    @Test func numbersKeepTheirKindAsText() throws {
        let setting = Setting.object([
            "soft_cap": .number(30), "window": .integer(30), "epsilon": .number(1e-5), "none": .null,
            "empty": .array([]),
            "text": .string("a\"b/é\n"), "list": .array([.bool(true), .number(-0.5)]), "object": .object([:]),
        ])
        let text = """
            {
              "empty": [],
              "epsilon": 1e-05,
              "list": [
                true,
                -0.5
              ],
              "none": null,
              "object": {},
              "soft_cap": 30.0,
              "text": "a\\"b/é\\n",
              "window": 30
            }

            """
        #expect(setting.json == text)
        let file = MappedFile(bytes: Array(text.utf8), name: "config.json")
        #expect(try Setting(JSONDocument(file).root) == setting)
    }
}
