import Fidelity
import Foundation

/// Writes a report whole or not at all.
enum ReportFile {
    static func write(_ report: FidelityReport, to path: String) throws {
        do {
            try Data(ReportPage(report).html().utf8).write(to: URL(fileURLWithPath: path), options: .atomic)
        } catch {
            throw FidelityError.cannotWrite(path: path, reason: error.localizedDescription)
        }
    }
}
