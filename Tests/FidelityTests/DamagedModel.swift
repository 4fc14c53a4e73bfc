import Foundation
import TensorFiles
import TestSupport

/// A copy of a fixture that a test damages on purpose.
struct DamagedModel {
    let folder: URL

    init(copying fixture: String) throws {
        folder = try TestFiles.temporaryFolder().appendingPathComponent("damaged")
        try FileManager.default.copyItem(at: TestFiles.fixtures.appendingPathComponent(fixture), to: folder)
    }

    func remove() { try? FileManager.default.removeItem(at: folder.deletingLastPathComponent()) }

    /// Rewrites the bytes of some tensors of a safetensors file in place.
    func rewrite(
        _ file: String = "model.safetensors", where matches: (String) -> Bool,
        by change: (_ bytes: Data, _ shape: [Int]) -> Data
    ) throws {
        let url = folder.appendingPathComponent(file)
        var data = try Data(contentsOf: url)
        let length = data.prefix(8).enumerated().reduce(0) { $0 | Int($1.element) << (8 * $1.offset) }
        let header = try JSONSerialization.jsonObject(with: data[8..<8 + length]) as? [String: Any] ?? [:]
        var changed = 0
        for (name, entry) in header where matches(name) {
            guard let entry = entry as? [String: Any], let offsets = entry["data_offsets"] as? [Int],
                let shape = entry["shape"] as? [Int]
            else { continue }
            let range = 8 + length + offsets[0]..<8 + length + offsets[1]
            let bytes = change(Data(data[range]), shape)
            precondition(bytes.count == range.count, "a tensor keeps its size")
            data.replaceSubrange(range, with: bytes)
            changed += 1
        }
        precondition(changed > 0, "no tensor to damage")
        try data.write(to: url)
    }

    /// Adds a tensor made from another one.
    func add(
        _ name: String, from source: String, by change: (_ bytes: Data, _ shape: [Int]) -> Data
    ) throws {
        let url = folder.appendingPathComponent("model.safetensors")
        let file = try SafetensorsFile(path: url.path)
        guard let model = file.tensors.first(where: { $0.name == source }) else {
            preconditionFailure("no tensor to copy")
        }
        let bytes = try model.withBytes(rows: 0..<model.rowCount) { change(Data($0.copied()), model.shape) }
        guard let added = Tensor(name: name, shape: model.shape, type: model.type, source: MemorySource(Array(bytes)))
        else { preconditionFailure("the change keeps the shape") }
        let tensors = file.tensors + [added]
        let plan = try OutputPlan.safetensors(tensors.map(TensorDeclaration.init), digests: false)
        let writer = try CheckpointWriter(plan, folder: folder.path, options: .init(overwrites: true))
        for index in plan.writingOrder { try writer.write(tensors[index]) }
        try writer.finish()
    }

    func rewriteText(_ file: String, _ change: (String) -> String) throws {
        let url = folder.appendingPathComponent(file)
        let before = try String(contentsOf: url, encoding: .utf8)
        let after = change(before)
        precondition(before != after, "nothing was damaged")
        try Data(after.utf8).write(to: url)
    }
}
