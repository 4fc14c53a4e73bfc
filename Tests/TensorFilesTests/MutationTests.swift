import Foundation
import TensorFiles
import TestSupport
import Testing

/// Deterministic mutants of the fixtures, for each reader: every one is read or refused; none traps, hangs, or makes
/// a reader hold more than a small multiple of the file.
@Suite struct MutationTests {
    static let mutantsPerReader = 20_000

    /// splitmix64, so that mutants are the same everywhere.
    struct Generator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var value = state
            value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
            value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
            return value ^ (value >> 31)
        }
        mutating func below(_ limit: Int) -> Int { Int(next() % UInt64(max(1, limit))) }
    }

    /// Changes a few places of `bytes`, most of them among the first `reach`: bits, numbers, lengths, pieces.
    static func mutate(_ bytes: [UInt8], reach: Int, _ random: inout Generator) -> [UInt8] {
        var bytes = bytes
        let limits: [UInt64] = [0, 1, 0x7F, 0xFF, 0x7FFF_FFFF, 0xFFFF_FFFF, 1 << 62, .max >> 1, .max, .max - 7]
        for _ in 0...random.below(3) where !bytes.isEmpty {
            let place = random.below(min(reach, bytes.count))
            switch random.below(8) {
            case 0, 1: bytes[place] ^= 1 << UInt8(random.below(8))
            case 2: bytes[place] = UInt8(truncatingIfNeeded: random.next())
            case 3, 4:
                let value =
                    random.below(2) == 0
                    ? limits[random.below(limits.count)] : random.next() >> UInt64(random.below(64))
                for index in 0..<[4, 8][random.below(2)] where place + index < bytes.count {
                    bytes[place + index] = UInt8(truncatingIfNeeded: value >> UInt64(8 * index))
                }
            case 5: bytes.removeSubrange(place..<min(bytes.count, place + 1 + random.below(16)))
            case 6: bytes.insert(contentsOf: bytes[place..<min(bytes.count, place + 1 + random.below(32))], at: place)
            default: bytes.removeLast(random.below(bytes.count))
            }
        }
        return bytes
    }

    static func seeds(_ names: [String], limit: Int) throws -> [[UInt8]] {
        try names.map { name in
            let data = try Data(contentsOf: TestFiles.fixtures.appendingPathComponent(name))
            return [UInt8](data.prefix(limit))
        }
    }

    /// Runs `read` on mutants and returns how many it accepted.
    static func accepted(_ seeds: [[UInt8]], reach: Int, seed: UInt64, _ read: (MappedFile) -> Bool) -> Int {
        var random = Generator(state: seed)
        return (0..<mutantsPerReader).count { number in
            let bytes = mutate(seeds[number % seeds.count], reach: reach, &random)
            return read(MappedFile(bytes: bytes, name: "mutant"))
        }
    }

    /// Walks everything that a reader hands out, so that a range that should not be there traps here.
    static func walk(_ tensors: [Tensor]) {
        for tensor in tensors where tensor.rowCount > 0 {
            try? tensor.withBytes(rows: tensor.rowCount - 1..<tensor.rowCount) { bytes in
                precondition(bytes.byteCount == tensor.rowByteCount)
                var scan = ContentScan(tensor.type)
                scan.scan(bytes)
            }
        }
    }

    @Test func safetensorsSurvives() throws {
        let seeds = try Self.seeds(
            ["golden/types.safetensors", "hostile/ST-18-trailing.safetensors"], limit: 1 << 16)
        let count = Self.accepted(seeds, reach: 6000, seed: 1) { file in
            var problems = ProblemList()
            if let opened = SafetensorsFile.read(file, &problems) { Self.walk(opened.tensors) }
            return problems.problems.isEmpty
        }
        #expect(count > 0 && count < Self.mutantsPerReader / 2)
    }

    @Test func ggufSurvives() throws {
        let seeds = try Self.seeds(
            ["golden/types.gguf", "golden/keys.gguf", "golden/no-tensors.gguf"], limit: 1 << 16)
        let count = Self.accepted(seeds, reach: 2500, seed: 2) { file in
            var problems = ProblemList()
            if let opened = GGUFFile.read(file, &problems) {
                Self.walk(opened.tensors)
                for entry in opened.metadata.entries {
                    guard let array = entry.value.array else { continue }
                    _ = (array.strings?.count, array.doubles?.count, array.bools?.count)
                }
            }
            return problems.problems.isEmpty
        }
        #expect(count > 0 && count < Self.mutantsPerReader / 2)
    }

    @Test func jsonSurvives() throws {
        let seeds = try Self.seeds(
            ["sharded/model.safetensors.index.json", "stories260K/tokenizer_config.json"], limit: 2000)
        let count = Self.accepted(seeds, reach: 2000, seed: 3) { file in
            guard let document = try? JSONDocument(file) else { return false }
            var nodes = [document.root]
            while let node = nodes.popLast() {
                _ = (node.string, node.int, node.double, node.bool, node.byteOffset)
                nodes += node.elements
                nodes += node.members.map(\.value)
                _ = node.members.reduce(0) { $0 + $1.key.utf8.count }
            }
            return true
        }
        #expect(count < Self.mutantsPerReader / 2)
    }

    @Test func zstdSurvives() throws {
        let folder = try TestFiles.temporaryFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let target = folder.appendingPathComponent("seed.zst").path
        try ZstdArchive.pack(
            MappedFile(path: TestFiles.fixtures.appendingPathComponent("golden/keys.gguf").path), to: target)
        let seed = [UInt8](try Data(contentsOf: URL(fileURLWithPath: target)))
        var random = Generator(state: 4)
        for _ in 0..<2000 {
            let bytes = Self.mutate(seed, reach: seed.count, &random)
            _ = try? ZstdArchive.unpack(MappedFile(bytes: bytes, name: "mutant.zst"))
        }
    }
}
