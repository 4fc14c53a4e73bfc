import ModelGraph
import Testing

@Suite struct ExpressionTests {
    @Test(arguments: [
        ("1 + 2 * 3", 7.0), ("(1 + 2) * 3", 9), ("2 ^ 3 ^ 2", 512), ("64 ^ -0.5", 0.125), ("7 % 4", 3),
        ("if(3 > 2, 10, 20)", 10), ("(layer + 1) % 6 != 0", 0), ("-layer", -5), ("8 / 4 / 2", 1),
    ])
    func values(text: String, expected: Double) throws {
        #expect(try Expression(text).value { $0 == "layer" ? 5 : nil } == expected)
    }

    @Test(arguments: ["", "1 +", "(1", "1 2", "if(1, 2)", "$", String(repeating: "(", count: 400)])
    func refused(text: String) {
        #expect(throws: Expression.ParseError.self) { try Expression(text) }
    }

    @Test func anUnknownNameHasNoValue() throws { #expect(try Expression("a + 1").value { _ in nil } == nil) }
}
