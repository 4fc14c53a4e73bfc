// swift-tools-version: 6.2
import PackageDescription

let swiftSettings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .strictMemorySafety(),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

/// A room of the house; its dependencies are the only arrows that may leave it.
func room(_ name: String, _ dependencies: [Target.Dependency], resources: [Resource]? = nil) -> Target {
    .target(name: name, dependencies: dependencies, resources: resources, swiftSettings: swiftSettings)
}

func tests(_ room: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .testTarget(
        name: room + "Tests", dependencies: [.init(stringLiteral: room), "TestSupport"] + dependencies,
        swiftSettings: swiftSettings)
}

let package = Package(
    name: "foretoken",
    products: [
        .executable(name: "foretoken", targets: ["foretoken"]),
        .library(
            name: "Foretoken",
            targets: [
                "TensorFiles", "Tokenizers", "ModelGraph", "Kernels", "Quantization", "Conversion", "Runtime",
                "Tuning", "Fidelity",
            ]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    ],
    targets: [
        .systemLibrary(
            name: "COpenBLAS", pkgConfig: "openblas", providers: [.apt(["libopenblas-dev"])]),
        .systemLibrary(name: "CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),
        .systemLibrary(name: "CXXHash", pkgConfig: "libxxhash", providers: [.apt(["libxxhash-dev"])]),
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .systemLibrary(name: "CPCRE2", pkgConfig: "libpcre2-8", providers: [.apt(["libpcre2-dev"])]),
        .target(name: "CSystem"),
        .target(name: "CKernels"),

        room("TensorFiles", ["CSystem", "CZstd", "CXXHash"]),
        room("Tokenizers", ["TensorFiles", "CPCRE2"]),
        room("ModelGraph", ["TensorFiles"], resources: [.embedInCode("Families")]),
        room("Kernels", ["TensorFiles", "CKernels"]),
        room("Quantization", ["ModelGraph", "Kernels", "CKernels", "COpenBLAS"]),
        room("Conversion", ["Quantization", "Tokenizers", "ModelGraph", "Kernels"]),
        room("Runtime", ["ModelGraph", "Quantization", "Tokenizers", "Kernels", "CKernels", "CZlib"]),
        room("Tuning", ["Runtime", "ModelGraph", "Kernels", "CKernels", "COpenBLAS"]),
        room("Fidelity", ["Runtime", "ModelGraph", "Tokenizers", "Kernels", "TensorFiles"]),
        .executableTarget(
            name: "foretoken",
            dependencies: [
                "TensorFiles", "Tokenizers", "ModelGraph", "Kernels", "Quantization", "Conversion", "Runtime",
                "Tuning", "Fidelity", "Yams",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: swiftSettings),

        .target(
            name: "TestSupport", dependencies: ["TensorFiles"], path: "Tests/TestSupport",
            swiftSettings: swiftSettings),
        tests("TensorFiles"),
        tests("Tokenizers"),
        tests("ModelGraph", ["TensorFiles"]),
        tests("Kernels", ["CKernels", "TensorFiles"]),
        tests("Quantization", ["Kernels", "CKernels"]),
        tests("Conversion", ["ModelGraph", "TensorFiles"]),
        tests("Runtime", ["ModelGraph", "TensorFiles", "Kernels", "Tokenizers", "Quantization", "Conversion"]),
        tests("Tuning", ["ModelGraph", "Kernels"]),
        tests("Fidelity", ["Kernels", "ModelGraph", "Runtime", "TensorFiles"]),
        // .testTarget(name: "CommandLineTests", dependencies: ["TestSupport"], swiftSettings: swiftSettings),
    ],
    swiftLanguageModes: [.v6],
    cLanguageStandard: .c17
)

// libFuzzer targets for the readers, built when asked for: Fuzz/README.md.
if Context.environment["FORETOKEN_FUZZ"] != nil {
    let coverage: [SwiftSetting] = [.unsafeFlags(["-sanitize=fuzzer", "-parse-as-library"])]
    for target in package.targets where target.name == "TensorFiles" {
        target.swiftSettings = swiftSettings + [.unsafeFlags(["-sanitize=fuzzer"])]
    }
    package.targets.append(.target(name: "CFuzzer", path: "Fuzz/CFuzzer"))
    for name in ["SafetensorsFuzz", "GGUFFuzz", "JSONFuzz", "ZstdFuzz"] {
        package.targets.append(
            .executableTarget(
                name: name, dependencies: ["TensorFiles", "CFuzzer"], path: "Fuzz/\(name)",
                swiftSettings: swiftSettings + coverage,
                linkerSettings: [.unsafeFlags(["-sanitize=fuzzer", "-use-ld=lld"])]))
        package.products.append(.executable(name: name, targets: [name]))
    }
}
