/// Why a file could not be read or written.
public enum TensorFileError: DescribedError, Equatable {
    /// A rule of a format is broken.
    case broken(Problem)
    case cannotRead(file: String, reason: String)
    case cannotWrite(file: String, reason: String)
    /// None of the formats this program reads.
    case notAModel(path: String, reason: String)
    case invalidJSON(file: String, offset: Int, reason: String)
    /// The output is there already and `--force` was not given.
    case exists(file: String)
    case noSpace(file: String, needed: Int, available: Int)
    /// What is to be written breaks a rule of the format that it is written in.
    case cannotRepresent(name: String, reason: String)
    case inUse(file: String)
    case cannotResume(file: String, reason: String)

    public var kind: FailureKind {
        switch self {
        case .broken, .cannotRead, .notAModel, .invalidJSON, .cannotRepresent: .input
        case .exists, .inUse, .cannotResume: .usage
        case .noSpace, .cannotWrite: .resources
        }
    }

    public var description: String {
        switch self {
        case .broken(let problem): problem.description
        case .cannotRead(let file, let reason): "\(file): cannot be read: \(reason)"
        case .cannotWrite(let file, let reason): "\(file): cannot be written: \(reason)"
        case .notAModel(let path, let reason): "\(path): \(reason)"
        case .invalidJSON(let file, let offset, let reason): "\(file): invalid JSON at byte \(offset): \(reason)"
        case .exists(let file): "\(file): exists already; choose another name, or give --force to replace it"
        case .noSpace(let file, let needed, let available):
            "\(file): \(needed) bytes are needed, \(available) are free on its disk; free some, or write elsewhere"
        case .cannotRepresent(let name, let reason): "\(name.quotedForMessages): \(reason)"
        case .inUse(let file): "\(file): another process is writing this file; wait for it, or choose another name"
        case .cannotResume(let file, let reason):
            "\(file): cannot be resumed: \(reason); run again without --resume to start over"
        }
    }
}
