public import TensorFiles

/// Why quantizing, or planning it, failed.
public enum QuantizationError: DescribedError, Equatable {
    /// QP-01: a type or preset nobody knows.
    case unknownType(String, nearest: [String])
    /// QP-02: a type that we read but do not write, or not with the method.
    case unwritableType(String)
    /// RC-01: a rule's role, which no tensor can have.
    case unknownRole(rule: Int, name: String, nearest: [String])
    /// RC-02: a rule that is about no tensor of the model.
    case ruleMatchesNothing(rule: Int, description: String, nearest: [String])
    /// RC-03: a value that a rule cannot have.
    case badRule(rule: Int, String)
    /// RC-04: a recipe that cannot be read.
    case badRecipe(file: String, String)
    /// QP-03: a budget that no plan meets.
    case budgetTooSmall(requested: Int, smallest: Int)
    /// QP-04: a weight that is no number.
    case nonfinite(tensor: String, row: Int, column: Int, value: String)
    /// QP-05: weights that lost precision before.
    case alreadyQuantized(tensor: String, type: ElementType, count: Int)
    /// The same for a quantized Hub directory, whose modules are read as plain weights.
    case alreadyQuantizedModules(file: String, count: Int)
    /// QS-01: a size of groups that a layout cannot have; none allowed where it has a scale for each row.
    case groupSize(Int, layout: String, allowed: [Int])
    /// The same rule: a layout where only types of GGUF can be mixed.
    case layoutInRecipe(String)
    /// IM-01…IM-04: an importance matrix that cannot be read.
    case badImportance(file: String, String)
    /// IM-05: an importance matrix of another model.
    case foreignImportance(file: String, [String])
    /// GP-01: Hessians that cannot be factored whatever the damping.
    case notPositiveDefinite(tensor: String)
    case unusableHessian(tensor: String, String)

    public var kind: FailureKind {
        switch self {
        case .unknownType, .unwritableType, .unknownRole, .ruleMatchesNothing, .badRule, .badRecipe, .budgetTooSmall,
            .groupSize, .layoutInRecipe:
            .usage
        default: .input
        }
    }

    public var description: String {
        switch self {
        case .unknownType(let name, let nearest):
            "there is no type or preset \"\(name)\"" + Self.hint(nearest)
        case .unwritableType(let name):
            "type \(name) can be read but not written; choose one of the Q or K types, IQ4_NL, IQ4_XS or MXFP4"
        case .unknownRole(let rule, let name, let nearest):
            "rule \(rule) of the recipe: no tensor has the role \"\(name)\"" + Self.hint(nearest)
        case .ruleMatchesNothing(let rule, let description, let nearest):
            "rule \(rule) of the recipe (\(description)) is about no tensor of this model" + Self.hint(nearest)
        case .badRule(let rule, let message): "rule \(rule) of the recipe: \(message)"
        case .badRecipe(let file, let message): "\(file): \(message)"
        case .budgetTooSmall(let requested, let smallest):
            "no plan fits \(requested) bytes; the smallest file that this model can have is \(smallest) bytes"
        case .nonfinite(let tensor, let row, let column, let value):
            "\(tensor): row \(row), column \(column) is \(value); repair the model, or replace such weights by zero "
                + "with --nonfinite zero"
        case .alreadyQuantized(let tensor, let type, let count):
            "\(tensor) and \(count - 1) other tensors are quantized already (\(type.rawValue)); start from the "
                + "original weights, or accept the added loss with --requantize"
        case .alreadyQuantizedModules(let file, let count):
            "\(file): \(count) of its weights are quantized already; start from the original weights, or accept the "
                + "added loss with --requantize"
        case .groupSize(let size, let layout, let allowed):
            allowed.isEmpty
                ? "\(layout) has one scale for each row; leave --group out"
                : "\(layout) cannot have groups of \(size); --group is "
                    + allowed.map(String.init).joined(separator: ", ")
        case .layoutInRecipe(let name):
            "\(name) is a layout of Hub directories, which has one scheme for all matrices; give it as --type, not in a "
                + "recipe"
        case .badImportance(let file, let message): "\(file): \(message)"
        case .foreignImportance(let file, let differences):
            "\(file) was made for another model: " + differences.joined(separator: "; ")
        case .notPositiveDefinite(let tensor):
            "\(tensor): its Hessian cannot be factored even with strong damping; calibrate with more text"
        case .unusableHessian(let tensor, let message): "\(tensor): \(message)"
        }
    }

    private static func hint(_ nearest: [String]) -> String {
        nearest.isEmpty ? "" : "; did you mean " + nearest.map { "\"\($0)\"" }.joined(separator: " or ") + "?"
    }

    /// Up to three of `names` that resemble `name`, the nearest first.
    static func nearest(to name: String, among names: [String]) -> [String] {
        let limit = max(2, name.count / 3)
        let scored = names.map { (name: $0, distance: NameDistance.distance(name, $0, limit: limit)) }
        return scored.filter { $0.distance <= limit }.sorted { ($0.distance, $0.name) < ($1.distance, $1.name) }
            .prefix(3).map(\.name)
    }
}
