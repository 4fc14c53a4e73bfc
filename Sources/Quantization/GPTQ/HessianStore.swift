import Kernels
import TensorFiles

/// Second moments of the inputs of matrices, as `calibrate --hessians` wrote them: formats/importance.md.
///
/// One F32 tensor [columns, columns] for each input, under the name of the first matrix that multiplies it; the file's
/// metadata maps the others to it. Values are means over tokens.
public struct HessianStore: Sendable {
    public let path: String
    private let tensors: [String: Tensor]
    private let aliases: [String: String]

    /// Where `calibrate` puts them.
    public static func path(beside importance: String) -> String {
        (importance.hasSuffix(".gguf") ? String(importance.dropLast(5)) : importance) + ".hessians.safetensors"
    }

    public init(path: String) throws {
        let file = try SafetensorsFile(path: path)
        self.path = path
        tensors = Dictionary(file.tensors.map { ($0.name, $0) }) { first, _ in first }
        aliases = Dictionary(file.metadata.map { ($0.key, $0.value) }) { first, _ in first }
    }

    private func tensor(_ name: String) -> Tensor? {
        let names = name == "token_embd.weight" ? [name, "output.weight"] : [name]
        return names.lazy.compactMap { tensors[$0] ?? aliases[$0].flatMap { tensors[$0] } }.first
    }

    /// Whether the file knows the inputs of a matrix, by its GGUF name.
    public func has(_ name: String) -> Bool { tensor(name) != nil }

    /// columns × columns, of which the upper triangle counts.
    public func moments(of name: String, columns: Int) throws -> [Float] {
        guard let tensor = tensor(name) else {
            throw QuantizationError.unusableHessian(tensor: name, "\(path) has no second moments of its inputs")
        }
        guard tensor.type == .f32, tensor.shape == [columns, columns] else {
            throw QuantizationError.unusableHessian(
                tensor: name,
                "\(path) was made for another model: it has second moments of shape \(tensor.shape), and the matrix "
                    + "has \(columns) columns")
        }
        let values = try tensor.floats()
        // The file's pages are not needed twice.
        tensor.source.release(rows: 0..<tensor.rowCount, rowByteCount: tensor.rowByteCount)
        guard BlockCodec.firstNonfinite(values) == nil else {
            throw QuantizationError.unusableHessian(tensor: name, "\(path) has second moments that are no numbers")
        }
        return values
    }
}
