import Foundation
import TensorFiles
import TestSupport
import Testing

/// The tables of formats/ and the code say the same.
@Suite struct FormatTablesTests {
    /// The cells of all table rows of a document.
    static func rows(_ name: String) throws -> [[String]] {
        let url = TestFiles.packageRoot.appendingPathComponent("formats/\(name)")
        return try String(contentsOf: url, encoding: .utf8).split(separator: "\n").filter { $0.hasPrefix("|") }.map {
            line in
            line.dropFirst().dropLast().split(separator: "|", omittingEmptySubsequences: false)
                .map { $0.trimmingCharacters(in: .whitespaces) }
        }
    }

    @Test func ggmlTypes() throws {
        let described = try Self.rows("ggml-blocks.md").filter { $0.count == 6 && Int($0[1]) != nil }
        #expect(described.count == ElementType.allCases.count { $0.ggmlIdentifier != nil })
        for row in described {
            let type = try #require(ElementType(rawValue: row[0]))
            #expect(type.ggmlIdentifier.map { Int($0) } == Int(row[1]))
            #expect(type.block == BlockGeometry(elements: Int(row[2])!, bytes: Int(row[3])!))
            #expect(Self.text(type.scales?.field) == row[4])
            #expect(type.scales?.reach == Float(row[5]))
        }
    }

    static func text(_ field: BlockScales.Field?) -> String {
        switch field {
        case nil: ""
        case .half(let offsets): "half " + offsets.map { "\($0)" }.joined(separator: " ")
        case .single(let offset): "single \(offset)"
        case .exponent(let offset): "exponent \(offset)"
        case .unsignedE4M3(let range): "ue4m3 \(range.lowerBound) \(range.count)"
        case .spreadHalf(let offset): "spread \(offset)"
        }
    }

    @Test func safetensorsTypes() throws {
        let described = try Self.rows("safetensors.md").filter { $0.count == 2 && Int($0[1]) != nil }
        #expect(described.count == ElementType.allCases.count { $0.isSafetensors })
        for row in described {
            let type = try #require(ElementType(rawValue: row[0]))
            #expect(type.isSafetensors)
            #expect(8 * type.block.bytes / type.block.elements == Int(row[1]))
        }
    }

    @Test func ggufKinds() throws {
        let described = try Self.rows("gguf.md").filter { $0.count == 3 && Int($0[1]) != nil }
        #expect(described.count == GGUFValue.Kind.allCases.count)
        for row in described {
            let kind = try #require(GGUFValue.Kind(rawValue: UInt32(row[1])!))
            #expect("\(kind)" == row[0] && kind.byteCount == Int(row[2]))
        }
    }

    @Test func rules() throws {
        var described: [String: String] = [:]
        for document in ["safetensors.md", "gguf.md", "ggml-blocks.md"] {
            for row in try Self.rows(document) where row.count == 3 && Rule(rawValue: row[0]) != nil {
                described[row[0]] = row[1]
            }
        }
        for rule in Rule.allCases where !rule.rawValue.hasPrefix("CM-") {
            #expect(described[rule.rawValue] == rule.severity.rawValue, "\(rule.rawValue)")
        }
    }
}
