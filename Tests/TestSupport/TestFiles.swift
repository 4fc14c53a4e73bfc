public import Foundation

/// Where tests find their files: `fixtures/` in the tree, and the shared oracles and data beside it, which may be
/// absent.
public enum TestFiles {
    public static let packageRoot = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    public static let fixtures = packageRoot.appendingPathComponent("fixtures")

    /// `$FORETOKEN_SHARED`, or `../shared` beside the package.
    public static let shared: URL? = {
        let environment = ProcessInfo.processInfo.environment["FORETOKEN_SHARED"]
        let folder =
            environment.map { URL(fileURLWithPath: $0) }
            ?? packageRoot.deletingLastPathComponent().appendingPathComponent("shared")
        return FileManager.default.fileExists(atPath: folder.appendingPathComponent("oracles").path) ? folder : nil
    }()

    /// For `@Test(.enabled(if: TestFiles.hasShared, "shared oracles are absent"))`.
    public static var hasShared: Bool { shared != nil }

    public static func shared(_ path: String) -> URL {
        (shared ?? packageRoot).appendingPathComponent(path)
    }

    /// A fresh folder that the caller removes.
    public static func temporaryFolder() throws -> URL {
        let url = FileManager.default.temporaryDirectory
            .appendingPathComponent("foretoken-tests-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        return url
    }
}
