/// How far a long piece of work has come; sent to whoever wants to show it.
public struct Progress: Sendable {
    public enum Unit: String, Sendable { case bytes, tokens, tensors, steps }

    public var stage: String
    public var completed: Int
    public var total: Int
    public var unit: Unit

    public init(stage: String, completed: Int, total: Int, unit: Unit) {
        self.stage = stage
        self.completed = completed
        self.total = total
        self.unit = unit
    }
}

/// Called from any thread, often; the receiver limits how often it prints.
public typealias ProgressHandler = @Sendable (Progress) -> Void
