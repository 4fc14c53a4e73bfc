import Foundation
public import ModelGraph
public import TensorFiles

/// Puts grafts into files and takes them out: formats/graft.md.
public enum GraftWriter {
    /// Writes a graft as a GGUF of its own. Returns the bytes written.
    @discardableResult
    public static func writeSidecar(
        _ graft: Graft, to path: String, name: String? = nil, overwrites: Bool = false,
        progress: ProgressHandler? = nil
    ) throws -> Int {
        let url = URL(fileURLWithPath: path)
        let (metadata, tensors) = graft.sidecar(name: name)
        let plan = try OutputPlan.gguf(
            tensors.map { TensorDeclaration($0) }, metadata: metadata, name: url.lastPathComponent)
        let writer = try CheckpointWriter(
            plan, folder: url.deletingLastPathComponent().path,
            options: .init(overwrites: overwrites, keepsPartial: false))
        let total = plan.byteCount
        var done = 0
        for index in plan.writingOrder {
            try writer.write(tensors[index]) { bytes in
                done += bytes
                progress?(TensorFiles.Progress(stage: "writing graft", completed: done, total: total, unit: .bytes))
            }
        }
        try writer.finish()
        return total
    }

    /// Writes a model's GGUF with a graft inside: the model's bytes as they are, the sidecar after them, the trailer.
    public static func writeInline(
        _ graft: Graft, model path: String, to output: String, name: String? = nil, overwrites: Bool = false,
        progress: ProgressHandler? = nil
    ) throws {
        let model = try MappedFile(path: path)
        let modelBytes = try Self.end(of: model)
        guard overwrites || !FileManager.default.fileExists(atPath: output) else {
            throw TensorFileError.exists(file: output)
        }
        let sidecarPath = output + ".graft.partial"
        defer { try? FileManager.default.removeItem(atPath: sidecarPath) }
        try writeSidecar(graft, to: sidecarPath, name: name, overwrites: true, progress: progress)
        let sidecar = try MappedFile(path: sidecarPath)
        let digest = sidecar.withBytes { TensorDigest(of: $0) }.description
        let inline = InlineGraft(after: modelBytes, sidecarByteCount: sidecar.byteCount, digest: digest)
        var done = 0
        try AssembledFile.write(
            [
                .file(model, 0..<modelBytes), .bytes([UInt8](repeating: 0, count: inline.padding)),
                .file(sidecar, 0..<sidecar.byteCount), .bytes(inline.trailer),
            ], to: output, overwrites: overwrites
        ) { bytes in
            done += bytes
            progress?(
                TensorFiles.Progress(
                    stage: "writing", completed: done, total: modelBytes + sidecar.byteCount, unit: .bytes))
        }
    }

    /// Bytes of a model's GGUF that a graft may follow. Throws GR-11 and GR-13.
    private static func end(of file: MappedFile) throws -> Int {
        if try InlineGraft.find(in: file) != nil { throw ModelError.graft(.alreadyGrafted(file: file.path)) }
        let model: GGUFFile
        do { model = try GGUFFile(file) } catch {
            throw ModelError.graft(
                .cannotAppend(file: file.path, reason: "only a GGUF can hold one (\(error)); convert the model first")
            )
        }
        if let count = model.metadata["split.count"]?.int, count > 1 {
            throw ModelError.graft(
                .cannotAppend(file: file.path, reason: "it is one of \(count) parts; join them first"))
        }
        return file.byteCount
    }

    /// Takes the graft out of a model's file: the model to `output`, the graft to `graftOutput` where that is wanted;
    /// both are the bytes that went in. Returns their sizes.
    public static func ungraft(
        _ path: String, to output: String?, graftTo graftOutput: String?, overwrites: Bool = false
    ) throws -> (model: Int, graft: Int) {
        let file = try MappedFile(path: path)
        guard let inline = try InlineGraft.find(in: file) else {
            throw ModelError.graft(.notGrafted(file: path))
        }
        let found = file.withBytes(inline.sidecar) { TensorDigest(of: $0) }.description
        if graftOutput != nil, found != inline.digest {
            throw ModelError.graft(
                .damagedTrailer(
                    file: path, offset: inline.sidecar.lowerBound,
                    reason: "its digest is \(found), the trailer says \(inline.digest)"))
        }
        if let output {
            try AssembledFile.write([.file(file, 0..<inline.modelByteCount)], to: output, overwrites: overwrites)
        }
        if let graftOutput {
            try AssembledFile.write([.file(file, inline.sidecar)], to: graftOutput, overwrites: overwrites)
        }
        return (inline.modelByteCount, inline.sidecar.count)
    }
}
