/// A part of a parsed template.
indirect enum TemplateNode: Sendable {
    case text(String)
    case output(TemplateExpression, line: Int)
    case conditional([(condition: TemplateExpression, body: [TemplateNode])], otherwise: [TemplateNode])
    case loop(TemplateLoop, line: Int)
    case assign([TemplateTarget], TemplateExpression, line: Int)
    case assignBlock(TemplateTarget, filters: [TemplateFilterCall], [TemplateNode], line: Int)
    case macro(String, parameters: [(name: String, standard: TemplateExpression?)], [TemplateNode])
    case callBlock(TemplateExpression, [TemplateNode], line: Int)
    case filterBlock([TemplateFilterCall], [TemplateNode], line: Int)
    case scoped([(name: String, value: TemplateExpression)], [TemplateNode])
    case breakLoop
    case continueLoop
}

struct TemplateLoop: Sendable {
    var targets: [String]
    var sequence: TemplateExpression
    var condition: TemplateExpression?
    var body: [TemplateNode]
    var otherwise: [TemplateNode]
    var isRecursive: Bool
}

/// What `set` sets.
enum TemplateTarget: Sendable {
    case name(String)
    case member(String, String)
}

struct TemplateFilterCall: Sendable {
    var name: String
    var arguments: TemplateCallArguments
    var line: Int
}

struct TemplateCallArguments: Sendable {
    var positional: [TemplateExpression] = []
    var named: [(name: String, value: TemplateExpression)] = []
}

indirect enum TemplateExpression: Sendable {
    case literal(TemplateValue)
    case name(String)
    case list([TemplateExpression])
    case dictionary([(key: TemplateExpression, value: TemplateExpression)])
    /// `a.b`
    case member(TemplateExpression, String, line: Int)
    /// `a[b]`
    case element(TemplateExpression, TemplateExpression, line: Int)
    case slice(TemplateExpression, TemplateExpression?, TemplateExpression?, TemplateExpression?, line: Int)
    case call(TemplateExpression, TemplateCallArguments, line: Int)
    case filter(TemplateExpression, TemplateFilterCall)
    case test(TemplateExpression, String, [TemplateExpression], line: Int)
    case not(TemplateExpression)
    case negate(TemplateExpression, line: Int)
    case plus(TemplateExpression, line: Int)
    case and(TemplateExpression, TemplateExpression)
    case or(TemplateExpression, TemplateExpression)
    case arithmetic(String, TemplateExpression, TemplateExpression, line: Int)
    case comparison(TemplateExpression, [(operation: String, operand: TemplateExpression)], line: Int)
    case conditional(TemplateExpression, condition: TemplateExpression, otherwise: TemplateExpression?)
}
