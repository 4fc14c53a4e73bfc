/// What went wrong, in the terms of the command line's exit status.
public enum FailureKind: Int32, Sendable {
    /// The work was done and the answer is "no".
    case negative = 1
    case usage = 2
    case input = 3
    /// Out of disk or of the memory budget.
    case resources = 4
}

/// An error written for the person who typed the command. Each room has one enum that conforms.
///
/// `description` is one line: what file, which tensor or key, where, what was expected, what was found, what to do.
public protocol DescribedError: Error, CustomStringConvertible {
    var kind: FailureKind { get }
}
