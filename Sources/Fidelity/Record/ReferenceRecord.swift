import Kernels
import ModelGraph
import TensorFiles

/// What a reference said about a text, kept so that candidates can be compared with it when it is gone:
/// formats/reference-record.md.
///
/// The file stays mapped; windows and rows are read as they are asked for and let go of, so that a record takes no
/// memory however long its text is.
struct ReferenceRecord: Sendable {
    /// What the rows depend on beside the text.
    struct Settings: Sendable, Equatable {
        /// Of the reference's tensors; empty in a record that was never given a name.
        var digest: String
        var textName: String
        var precision: String
        var cache: String
    }

    static let version = "1"
    static let prefix = "foretoken.reference."

    let path: String
    let settings: Settings
    let shape: RecordShape
    /// Tokens of a window.
    let context: Int
    let windowCount: Int
    /// Rows of a window whose next token is scored.
    let scored: Range<Int>
    let hidden: HiddenStates
    private let tokens: Tensor
    private let rows: Tensor

    var tokenCount: Int { windowCount * context }
    var rowCount: Int { windowCount * scored.count }
    var byteCount: Int { rows.byteCount + tokens.byteCount + hidden.values.count * 4 }

    /// - Throws: `TensorFileError` for a file that is no safetensors; `FidelityError.record` with the rule.
    init(path: String) throws {
        let file = try SafetensorsFile(path: path)
        func refuse(_ rule: String, _ reason: String) -> FidelityError {
            .record(path: path, rule: rule, reason: reason)
        }
        func text(_ key: String) throws -> String {
            guard let value = file.metadata.first(where: { $0.key == Self.prefix + key })?.value else {
                throw refuse("RR-01", "the metadata have no \(Self.prefix)\(key)")
            }
            return value
        }
        func number(_ key: String) throws -> Int {
            let value = try text(key)
            guard let number = Int(value), number >= 0, number <= 1 << 40 else {
                throw refuse("RR-01", "\(Self.prefix)\(key) is \(value.quotedForMessages), not a number")
            }
            return number
        }
        func tensor(_ name: String, _ type: ElementType, dimensions: Int) throws -> Tensor {
            guard let tensor = file.tensors.first(where: { $0.name == name }) else {
                throw refuse("RR-03", "there is no tensor \(name)")
            }
            guard tensor.type == type, tensor.shape.count == dimensions, tensor.elementCount > 0 else {
                throw refuse(
                    "RR-03",
                    "\(name) is \(tensor.type.rawValue) \(tensor.shape), expected \(type.rawValue) with "
                        + "\(dimensions) dimensions")
            }
            return tensor
        }
        let version = try text("version")
        guard version == Self.version else {
            throw refuse("RR-02", "its version is \(version.quotedForMessages); this program reads \(Self.version)")
        }
        self.path = path
        settings = Settings(
            digest: try text("digest"), textName: try text("text"), precision: try text("precision"),
            cache: try text("cache"))
        guard
            let shape = RecordShape(
                vocabulary: try number("vocabulary"), topCount: try number("top"), sampleCount: try number("sample"))
        else { throw refuse("RR-04", "its vocabulary, top and sample do not fit each other") }
        self.shape = shape
        tokens = try tensor("tokens", .u32, dimensions: 2)
        (windowCount, context) = (tokens.shape[0], tokens.shape[1])
        let first = try number("scored_from")
        guard context >= 2, first < context - 1 else {
            throw refuse("RR-04", "scored_from is \(first) in windows of \(context) tokens")
        }
        scored = first..<context - 1
        rows = try tensor("rows", .u8, dimensions: 2)
        let (count, overflow) = windowCount.multipliedReportingOverflow(by: scored.count)
        guard !overflow, rows.shape == [count, shape.rowByteCount] else {
            throw refuse("RR-05", "rows is \(rows.shape), expected \([count, shape.rowByteCount])")
        }
        let states = try tensor("hidden", .f32, dimensions: 3)
        guard states.shape[1] <= context else {
            throw refuse("RR-05", "hidden has \(states.shape[1]) tokens, a window \(context)")
        }
        hidden = HiddenStates(
            layers: states.shape[0], tokens: states.shape[1], width: states.shape[2], values: try states.floats())
    }

    /// The tokens of a window, each below the vocabulary's size.
    func window(_ index: Int) throws -> ScoringPlan.Window {
        let ids = try tokens.withBytes(rows: index..<index + 1) { bytes in
            (0..<context).map { Int(bytes.loadLittleEndian(4 * $0, as: UInt32.self)) }
        }
        tokens.source.release(rows: index..<index + 1, rowByteCount: tokens.rowByteCount)
        guard ids.allSatisfy({ $0 < shape.vocabulary }) else {
            throw FidelityError.record(
                path: path, rule: "RR-06", reason: "window \(index) has a token outside the vocabulary")
        }
        return ScoringPlan.Window(tokens: ids, start: index * context, scored: scored)
    }

    /// The recorded rows of positions `places` of a window, which must be scored ones.
    func rows(_ places: Range<Int>, of window: Int) throws -> [RecordedRow] {
        precondition(places.lowerBound >= scored.lowerBound && places.upperBound <= scored.upperBound)
        let start = window * scored.count - scored.lowerBound
        let range = start + places.lowerBound..<start + places.upperBound
        let size = shape.rowByteCount
        let result = try rows.withBytes(rows: range) { bytes in
            try range.map { index -> RecordedRow in
                let offset = (index - range.lowerBound) * size
                guard let row = RecordedRow(parsing: bytes.extracting(offset..<offset + size), shape) else {
                    throw FidelityError.record(path: path, rule: "RR-06", reason: "row \(index) is damaged")
                }
                return row
            }
        }
        rows.source.release(rows: range, rowByteCount: size)
        return result
    }
}

extension ReferenceRecord {
    /// The digest that binds a record to a reference: of the tensors as they are stored, whatever the files state.
    static func digest(of reference: Subject, threads: Int, progress: ProgressHandler?) throws -> String {
        var graph = reference.stored
        graph.origin = nil
        return try graph.sourceDigest(threads: threads, progress: progress)
    }

    /// Refuses to stand in for another model, another text or other settings.
    ///
    /// - Parameter plan: of the text that was asked for; `nil` when the record's own is taken.
    func check(against expected: Settings, vocabulary: Int, plan: ScoringPlan?) throws {
        func differ(_ what: String, _ recorded: String, _ found: String) -> FidelityError {
            .recordDiffers(path: path, what: what, recorded: recorded, found: found)
        }
        guard shape.vocabulary == vocabulary else {
            throw differ("vocabulary", "\(shape.vocabulary)", "\(vocabulary)")
        }
        guard settings.digest == expected.digest else {
            throw differ("reference's tensors", settings.digest, expected.digest)
        }
        guard settings.precision == expected.precision else {
            throw differ("activations", settings.precision, expected.precision)
        }
        guard settings.cache == expected.cache else { throw differ("cache", settings.cache, expected.cache) }
        guard let plan else { return }
        guard plan.context == context, plan.windows.count == windowCount else {
            throw differ(
                "text", "\(windowCount) windows of \(context) tokens",
                "\(plan.windows.count) windows of \(plan.context)")
        }
        for (index, expected) in plan.windows.enumerated() where try window(index) != expected {
            throw differ("text", settings.textName, "another from window \(index + 1) on")
        }
    }
}
