/// The rules of formats/graft.md, and what a broken one says.
public enum GraftProblem: Hashable, Sendable {
    /// GR-01
    case notAGraft(file: String, reason: String)
    /// GR-02
    case unknownVersion(file: String, found: Int)
    /// GR-03
    case missingKey(file: String, key: String)
    /// GR-04
    case invalidKey(file: String, key: String, expected: String, found: String)
    /// GR-05
    case missingTensor(file: String, tensor: String)
    /// GR-06
    case unexpectedTensor(file: String, tensor: String)
    /// GR-07
    case wrongShape(tensor: String, expected: [Int], found: [Int])
    /// GR-08
    case wrongBase(differences: [String])
    /// GR-09
    case unsuitableType(tensor: String, type: String, reason: String)
    /// GR-10
    case damagedTrailer(file: String, offset: Int, reason: String)
    /// GR-11
    case alreadyGrafted(file: String)
    /// GR-12
    case notGrafted(file: String)
    /// GR-13
    case cannotAppend(file: String, reason: String)
    /// GR-14
    case tooManyMasks(asked: Int, masks: Int)
    /// GR-15
    case notFinite(tensor: String, row: Int)

    var message: String {
        switch self {
        case .notAGraft(let file, let reason):
            "\(file): not a graft: \(reason) [GR-01]"
        case .unknownVersion(let file, let found):
            "\(file): version \(found) of the graft format; this program knows 1: use a newer one [GR-02]"
        case .missingKey(let file, let key):
            "\(file): the key \(key) is missing [GR-03]"
        case .invalidKey(let file, let key, let expected, let found):
            "\(file): \(key): expected \(expected), found \(found) [GR-04]"
        case .missingTensor(let file, let tensor):
            "\(file): the tensor \(tensor) is missing [GR-05]"
        case .unexpectedTensor(let file, let tensor):
            "\(file): the tensor \(tensor) has no place in a graft [GR-06]"
        case .wrongShape(let tensor, let expected, let found):
            "\(tensor): expected shape \(expected), found \(found) [GR-07]"
        case .wrongBase(let differences):
            "this graft is not for this model: \(differences.joined(separator: "; ")) [GR-08]"
        case .unsuitableType(let tensor, let type, let reason):
            "\(tensor): cannot be \(type): \(reason) [GR-09]"
        case .damagedTrailer(let file, let offset, let reason):
            "\(file) (byte \(offset)): the graft inside is damaged: \(reason); `ungraft` still gives back the model "
                + "[GR-10]"
        case .alreadyGrafted(let file):
            "\(file): holds a graft already; take it out with `ungraft` first [GR-11]"
        case .notGrafted(let file):
            "\(file): holds no graft [GR-12]"
        case .cannotAppend(let file, let reason):
            "\(file): a graft cannot go inside: \(reason); write a sidecar (leave out --inline) [GR-13]"
        case .tooManyMasks(let asked, let masks):
            "\(asked) masks were asked for, the graft has \(masks): give --masks 1 … \(masks) [GR-14]"
        case .notFinite(let tensor, let row):
            "\(tensor): row \(row) holds a value that is not finite [GR-15]"
        }
    }
}
