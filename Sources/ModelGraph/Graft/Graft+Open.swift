public import TensorFiles

extension Graft {
    /// Opens a graft from a file: a sidecar, or a model with a graft inside. Reads headers; the digest of a graft
    /// inside a model is checked by `check`.
    ///
    /// - Throws: `TensorFileError`, or `ModelError.graft` with GR-01 to GR-07 and GR-10.
    public static func open(_ path: String) throws -> Graft {
        let file = try MappedFile(path: path)
        if let graft = try inside(file) { return graft }
        return try Graft(sidecar: GGUFFile(file))
    }

    /// The graft inside a model's file, or `nil` when it holds none.
    public static func inside(_ file: MappedFile) throws -> Graft? {
        guard let inline = try InlineGraft.find(in: file) else { return nil }
        return try Graft(sidecar: GGUFFile(MappedFile(part: inline.sidecar, of: file)))
    }

    /// The graft inside a model that was opened, or `nil`.
    public static func inside(_ graph: ModelGraph) throws -> Graft? {
        guard let checkpoint = graph.origin?.checkpoint, checkpoint.format == .gguf, let last = checkpoint.files.last
        else { return nil }
        return try inside(last.file)
    }
}
