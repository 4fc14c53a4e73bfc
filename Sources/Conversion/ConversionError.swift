public import ModelGraph
public import TensorFiles

/// Why work in this room failed.
public enum ConversionError: DescribedError, Equatable {
    case invalid(String)
    /// The graph has a tensor that the target's dialect has no name for.
    case noName(role: String, family: String, dialect: Dialect)
    /// A tensor's elements cannot be turned into another type.
    case noCodec(tensor: String, from: ElementType, to: ElementType)
    /// The target format cannot hold the type.
    case unfitType(ElementType, format: String)
    /// The tokenizer has tokens that the embedding has no row for. (CV-02)
    case vocabulary(file: String, tokens: Int, rows: Int)
    /// `--part I/N` files that do not belong together. (PT-01 to PT-05)
    case parts(rule: String, reason: String)

    public var kind: FailureKind {
        switch self {
        case .unfitType: .usage
        default: .input
        }
    }

    public var description: String {
        switch self {
        case .invalid(let message): message
        case .noName(let role, let family, let dialect):
            "\(role): family \(family) has no \(dialect == .hub ? "Hub" : "GGUF") name for it"
        case .noCodec(let tensor, let from, let to):
            "\(tensor): \(from.rawValue) cannot be turned into \(to.rawValue)"
        case .unfitType(let type, let format): "\(format) cannot hold \(type.rawValue); choose another --type"
        case .vocabulary(let file, let tokens, let rows):
            "\(file): the tokenizer has \(tokens) tokens, but the embedding only \(rows) rows; resize the embedding, or "
                + "use the tokenizer that belongs to this model [CV-02]"
        case .parts(let rule, let reason): "\(reason) [\(rule)]"
        }
    }
}
