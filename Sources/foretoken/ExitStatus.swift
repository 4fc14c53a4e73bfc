import ArgumentParser
import Foundation
import TensorFiles

/// Maps errors to the statuses that the manual promises: 0 done, 1 the answer is "no", 2 usage, 3 bad input,
/// 4 out of disk or memory budget.
enum ExitStatus {
    static func exit(with error: any Error) -> Never {
        if let described = error as? any DescribedError {
            Console.standardError("foretoken: \(described.description)\n")
            Foundation.exit(described.kind.rawValue)
        }
        let code = Foretoken.exitCode(for: error)
        if code == .validationFailure {
            Console.standardError(Foretoken.fullMessage(for: error) + "\n")
            Foundation.exit(FailureKind.usage.rawValue)
        }
        Foretoken.exit(withError: error)
    }
}
