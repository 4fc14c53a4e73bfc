import Conversion
import TensorFiles

/// What a conversion writes: formats/convert.schema.json.
struct PlanReport: Encodable {
    struct File: Encodable {
        var name: String
        var bytes: Int
    }

    struct Entry: Encodable {
        var name: String
        var shape: [Int]
        var type: String
        var bytes: Int
        var sourceType: String
        var sourceBytes: Int
        var fate: String
    }

    /// Of all files, headers and padding included.
    var bytes: Int
    var sourceBytes: Int
    /// Bound on the work in memory at a time; the program itself takes a few tens of MB more.
    var peakMemoryBytes: Int
    var files: [File]
    var tensors: [Entry]
    var notes: [String]

    init(_ plan: ConversionPlan, peakMemoryBytes: Int) {
        bytes = plan.output.byteCount
        sourceBytes = plan.entries.reduce(0) { $0 + $1.sourceByteCount }
        self.peakMemoryBytes = peakMemoryBytes
        files =
            plan.output.files.map { File(name: $0.name, bytes: $0.byteCount) }
            + plan.output.sideFiles.map { File(name: $0.name, bytes: $0.bytes.count) }
        tensors = plan.writingOrder.map { entry in
            Entry(
                name: entry.declaration.name, shape: entry.declaration.shape, type: entry.declaration.type.rawValue,
                bytes: entry.declaration.byteCount, sourceType: entry.sourceType.rawValue,
                sourceBytes: entry.sourceByteCount, fate: entry.fate)
        }
        notes = plan.notes
    }

    var table: String {
        let width = tensors.map(\.name.count).max() ?? 0
        var text = ""
        for tensor in tensors {
            let shape = tensor.shape.map(String.init).joined(separator: " x ")
            text += tensor.name.padded(width) + "  " + shape.padded(16) + "  " + tensor.fate.padded(14)
            text += "  \(tensor.bytes)\n"
        }
        for file in files { text += "\(file.name): \(file.bytes) bytes\n" }
        text += "\(bytes) bytes (\(ByteSize.text(bytes))) from \(ByteSize.text(sourceBytes)) of tensors; "
        text += "at most \(ByteSize.text(peakMemoryBytes)) of work in memory at a time\n"
        return text
    }
}

extension String {
    fileprivate func padded(_ width: Int) -> String {
        self + String(repeating: " ", count: max(0, width - count))
    }
}
