/// A value in a chat template: what Python's would be.
public indirect enum TemplateValue: Sendable {
    /// A name that nothing defines; prints as nothing, is false, and has no members.
    case undefined(String)
    case none
    case bool(Bool)
    case int(Int)
    case double(Double)
    case string(String)
    case list([TemplateValue])
    case dictionary(TemplateDictionary)
    case callable(TemplateCallable)
    case namespace(TemplateNamespace)
}

/// Keys in the order of insertion, as Python's dict.
public struct TemplateDictionary: Sendable {
    public private(set) var keys: [String] = []
    private var values: [String: TemplateValue] = [:]

    public init() {}

    public init(_ members: [(String, TemplateValue)]) {
        for (key, value) in members { self[key] = value }
    }

    public var count: Int { keys.count }

    public subscript(key: String) -> TemplateValue? {
        get { values[key] }
        set {
            if let newValue {
                if values.updateValue(newValue, forKey: key) == nil { keys.append(key) }
            } else if values.removeValue(forKey: key) != nil {
                keys.removeAll { $0 == key }
            }
        }
    }

    public var members: [(key: String, value: TemplateValue)] { keys.map { ($0, values[$0] ?? .none) } }
}

/// A function, a method bound to its object, or a macro.
public struct TemplateCallable: Sendable {
    let name: String
    let body: Body

    enum Body: Sendable {
        case native(@Sendable (TemplateArguments) throws(TokenizerError) -> TemplateValue)
        case macro(TemplateMacro)
        case caller([TemplateNode], TemplateScope)
        case loop
    }
}

/// The arguments of a call.
struct TemplateArguments: Sendable {
    var line: Int
    var positional: [TemplateValue]
    var named: [String: TemplateValue] = [:]

    /// By place, or by name.
    func value(_ index: Int, _ name: String = "") -> TemplateValue? {
        index < positional.count ? positional[index] : named[name]
    }

    func failure(_ reason: String) -> TokenizerError { .templateFailed(line: line, reason: reason) }
}

struct TemplateMacro: Sendable {
    var name: String
    var parameters: [(name: String, standard: TemplateExpression?)]
    var body: [TemplateNode]
    var scope: TemplateScope
}

/// What `namespace()` makes: members that an inner block may set for an outer one. Lives in one rendering, on one
/// thread.
public final class TemplateNamespace: @unchecked Sendable {
    var members: TemplateDictionary
    init(_ members: TemplateDictionary) { self.members = members }
}

/// Variables of a block, and of the blocks around it. Lives in one rendering, on one thread.
final class TemplateScope: @unchecked Sendable {
    private var variables: [String: TemplateValue] = [:]
    let parent: TemplateScope?

    init(parent: TemplateScope?) { self.parent = parent }

    subscript(name: String) -> TemplateValue? {
        get {
            var scope: TemplateScope? = self
            while let current = scope {
                if let value = current.variables[name] { return value }
                scope = current.parent
            }
            return nil
        }
        set { variables[name] = newValue }
    }
}

extension TemplateValue: ExpressibleByStringLiteral, ExpressibleByBooleanLiteral, ExpressibleByIntegerLiteral,
    ExpressibleByFloatLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral, ExpressibleByNilLiteral
{
    public init(stringLiteral value: String) { self = .string(value) }
    public init(booleanLiteral value: Bool) { self = .bool(value) }
    public init(integerLiteral value: Int) { self = .int(value) }
    public init(floatLiteral value: Double) { self = .double(value) }
    public init(arrayLiteral elements: TemplateValue...) { self = .list(elements) }
    public init(nilLiteral: ()) { self = .none }
    public init(dictionaryLiteral elements: (String, TemplateValue)...) {
        self = .dictionary(TemplateDictionary(elements))
    }
}
