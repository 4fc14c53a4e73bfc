import Foundation
import Synchronization
import TensorFiles

/// Shows progress on standard error: a line rewritten in place on a terminal, a plain line every few seconds
/// elsewhere, nothing with `--quiet`.
final class ProgressLine: Sendable {
    private struct State {
        var stage = ""
        var started = ContinuousClock.now
        var lastShown: ContinuousClock.Instant?
        var open = false
    }

    private let state = Mutex(State())
    private let quiet: Bool
    private let terminal = Console.errorIsTerminal

    init(quiet: Bool) { self.quiet = quiet }

    var handler: ProgressHandler {
        { [self] progress in show(progress) }
    }

    func show(_ progress: TensorFiles.Progress) {
        guard !quiet else { return }
        state.withLock { state in
            let now = ContinuousClock.now
            if state.stage != progress.stage {
                if state.open { Console.standardError("\n") }
                state = State(stage: progress.stage, started: now)
            }
            let finished = progress.completed >= progress.total
            let pause: Duration = terminal ? .milliseconds(100) : .seconds(3)
            let due = state.lastShown.map { now - $0 >= pause } ?? terminal
            guard due || (finished && (state.open || state.lastShown != nil)) else {
                if state.lastShown == nil { state.lastShown = now }
                return
            }
            state.lastShown = now
            let line = Self.line(progress, elapsed: now - state.started)
            Console.standardError(terminal ? "\r\u{1B}[K" + line + (finished ? "\n" : "") : line + "\n")
            state.open = terminal && !finished
        }
    }

    private static func line(_ progress: TensorFiles.Progress, elapsed: Duration) -> String {
        let seconds = Double(elapsed.components.seconds) + Double(elapsed.components.attoseconds) * 1e-18
        let rate = seconds > 0 ? Double(progress.completed) / seconds : 0
        let percent = progress.total > 0 ? 100 * progress.completed / progress.total : 100
        var line = "\(progress.stage): \(percent) %, \(quantity(rate, progress.unit))/s"
        if rate > 0, progress.completed < progress.total {
            line += ", \(Int((Double(progress.total - progress.completed) / rate).rounded(.up))) s left"
        }
        return line
    }

    private static func quantity(_ value: Double, _ unit: TensorFiles.Progress.Unit) -> String {
        guard unit == .bytes else { return String(format: "%.1f %@", value, unit.rawValue) }
        return ByteSize.text(Int(value))
    }
}
