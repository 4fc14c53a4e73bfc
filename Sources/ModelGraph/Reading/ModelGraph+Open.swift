public import TensorFiles

extension ModelGraph {
    /// Whether a model whose tensors' files are missing may be opened.
    public enum Weights: Sendable {
        case required
        /// Shapes then come from the configuration and names from the index, if there is one; reading a tensor fails.
        case mayBeAbsent
    }

    /// Opens a Hub directory, a safetensors file with `config.json` beside it, or a GGUF, and checks the tensors
    /// against what the configuration demands. Throws everything that is wrong at once.
    ///
    /// - Parameter architecture: describes a family that we do not have, or overrides one that we have.
    public static func open(
        _ path: String, architecture: Architecture? = nil, weights: Weights = .required
    ) throws -> ModelGraph {
        let checkpoint: Checkpoint
        do {
            checkpoint = try Checkpoint.open(path)
        } catch {
            guard weights == .mayBeAbsent, let outline = try HubOutline(path: path) else { throw error }
            return try GraphReader(path: path, families: families(architecture)).read(outline)
        }
        return try open(checkpoint, architecture: architecture)
    }

    /// The model in a checkpoint that is open already.
    public static func open(_ checkpoint: Checkpoint, architecture: Architecture? = nil) throws -> ModelGraph {
        let reader = GraphReader(path: checkpoint.path, families: families(architecture))
        return switch checkpoint.format {
        case .safetensors: try reader.readHub(checkpoint)
        case .gguf: try reader.readGGUF(checkpoint)
        }
    }

    private static func families(_ given: Architecture?) -> [Architecture] {
        (given.map { [$0] } ?? []) + Architecture.builtIn
    }
}
