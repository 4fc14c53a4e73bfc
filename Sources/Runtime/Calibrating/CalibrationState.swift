import Foundation
import Kernels
import Quantization
import TensorFiles

/// What an interrupted calibration has added up so far, and the file of second moments.
struct CalibrationState {
    let path: String
    /// What must be the same for a run to be gone on with.
    let identity: String

    private static func split(_ path: String) -> (folder: String, name: String) {
        let url = URL(fileURLWithPath: path)
        return (url.deletingLastPathComponent().path, url.lastPathComponent)
    }

    private static func write(
        _ tensors: [Tensor], _ metadata: [(key: String, value: String)], to path: String, overwrites: Bool
    ) throws {
        let (folder, name) = split(path)
        let plan = try OutputPlan.safetensors(
            tensors.map(TensorDeclaration.init), metadata: metadata, name: name, digests: false)
        let writer = try CheckpointWriter(plan, folder: folder, options: .init(overwrites: overwrites))
        for index in plan.writingOrder { try writer.write(tensors[index]) }
        try writer.finish()
    }

    private static func tensor<Bits: FixedWidthInteger>(
        _ name: String, _ shape: [Int], _ type: ElementType, _ values: [Bits]
    ) throws -> Tensor {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(values.count * Bits.bitWidth / 8)
        for value in values { bytes.appendLittleEndian(value) }
        guard let tensor = Tensor(name: name, shape: shape, type: type, source: MemorySource(bytes)) else {
            throw RuntimeError.unsupported("\(name): statistics of shape \(shape)")
        }
        return tensor
    }

    func save(_ inputs: [String: CalibrationObserver.Input], windows: Int) throws {
        var tensors: [Tensor] = []
        var metadata = [(key: "identity", value: identity), (key: "windows", value: String(windows))]
        for (name, input) in inputs.sorted(by: { $0.key < $1.key }) {
            let n = input.columns
            tensors.append(try Self.tensor(name + ".sums", [n], .f64, input.sums.map(\.bitPattern)))
            tensors.append(
                try Self.tensor(
                    name + ".sketch", [n, MomentSketch.width], .f32, input.sketch.values.map(\.bitPattern)))
            if !input.moments.isEmpty {
                tensors.append(try Self.tensor(name + ".moments", [n, n], .f32, input.moments.map(\.bitPattern)))
            }
            metadata.append((key: name, value: (["\(input.tokens)"] + input.names).joined(separator: "\n")))
        }
        try Self.write(tensors, metadata, to: path, overwrites: true)
    }

    /// Nothing where there is no state, or one of another run.
    func load() throws -> (windows: Int, inputs: [String: CalibrationObserver.Input]) {
        guard FileManager.default.fileExists(atPath: path) else { return (0, [:]) }
        let file = try SafetensorsFile(path: path)
        let metadata = Dictionary(file.metadata.map { ($0.key, $0.value) }) { first, _ in first }
        guard metadata["identity"] == identity, let windows = metadata["windows"].flatMap({ Int($0) }) else {
            return (0, [:])
        }
        var inputs: [String: CalibrationObserver.Input] = [:]
        for tensor in file.tensors where tensor.name.hasSuffix(".sums") {
            let name = String(tensor.name.dropLast(5))
            let lines = metadata[name]?.split(separator: "\n").map(String.init) ?? []
            guard let tokens = lines.first.flatMap({ Int($0) }), lines.count > 1 else { return (0, [:]) }
            let sums = try tensor.withBytes(rows: 0..<1) { bytes in
                (0..<tensor.elementCount).map { Double(bitPattern: bytes.loadLittleEndian($0 * 8, as: UInt64.self)) }
            }
            let values = try file.tensors.first { $0.name == name + ".sketch" }?.floats() ?? []
            guard let sketch = MomentSketch(columns: tensor.elementCount, values: values) else { return (0, [:]) }
            let moments = try file.tensors.first { $0.name == name + ".moments" }?.floats() ?? []
            inputs[name] = CalibrationObserver.Input(
                names: Array(lines.dropFirst()), columns: tensor.elementCount, tokens: tokens, sums: sums,
                sketch: sketch, moments: moments)
        }
        return (windows, inputs)
    }

    func remove() { try? FileManager.default.removeItem(atPath: path) }

    /// Means of products, each under the name of the first matrix that shares the input: formats/importance.md.
    static func writeMoments(
        _ inputs: [String: CalibrationObserver.Input], to path: String, overwrites: Bool
    ) throws {
        var tensors: [Tensor] = []
        var metadata: [(key: String, value: String)] = [("format", "foretoken.hessians")]
        for (name, input) in inputs.sorted(by: { $0.key < $1.key }) where !input.moments.isEmpty {
            let n = input.columns
            var means = input.moments
            let scale = 1 / Float(max(1, input.tokens))
            for i in 0..<n {
                for j in i..<n {
                    means[i * n + j] *= scale
                    means[j * n + i] = means[i * n + j]
                }
            }
            tensors.append(try Self.tensor(name, [n, n], .f32, means.map(\.bitPattern)))
            for other in input.names where other != name { metadata.append((other, name)) }
        }
        try write(tensors, metadata, to: path, overwrites: overwrites)
    }
}
