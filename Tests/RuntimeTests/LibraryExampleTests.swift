import Foundation
import TestSupport
import Testing

@Suite struct LibraryExampleTests {
    @Test func exampleContinuesAStory() throws {
        let model = TestFiles.fixtures.appendingPathComponent("stories260K").path
        let text = try continuation(of: "Once upon a time", model: model)
        #expect(text.contains("there was a"))
    }

    @Test func readmeShowsTheExampleThatIsCompiled() throws {
        let readme = try String(
            contentsOf: TestFiles.packageRoot.appendingPathComponent("README.md"), encoding: .utf8)
        let source = try String(
            contentsOf: TestFiles.packageRoot.appendingPathComponent("Tests/RuntimeTests/LibraryExample.swift"),
            encoding: .utf8)
        #expect(readme.contains("```swift\n" + source + "```"))
    }
}
