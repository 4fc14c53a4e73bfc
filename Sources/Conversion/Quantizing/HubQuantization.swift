import Dispatch
import Kernels
import ModelGraph
import Quantization
import Synchronization
import TensorFiles

/// Quantizes the matrices of a Hub directory into a layout: formats/quantized-safetensors.md.
struct HubQuantization: Sendable {
    let layout: HubLayout
    let method: BlockMethod
    let work: QuantizationWork
    /// What the bytes depend on beside the model.
    let identity: String
    /// For layouts whose tensors need all rows of a matrix at once.
    let threads: Int

    /// QS-03: why a matrix that the layout would quantize stays dense.
    func reasonToKeep(_ matrix: QuantizedMatrix) -> String {
        let shape = matrix.tensor.shape
        let size = layout.groupSize ?? shape[1]
        return shape[1] % size == 0
            ? "kept dense: \(layout.scheme.rawValue) cannot hold \(shape[0]) x \(shape[1])"
            : "kept dense: rows of \(shape[1]) are no whole groups of \(size)"
    }

    /// The tensors that take a matrix's place, codes first; `nil` where it does not fit.
    func entries(_ matrix: QuantizedMatrix, steps: [String]) throws -> [ConversionPlan.Entry]? {
        let tensor = matrix.tensor
        guard layout.fits(rows: tensor.shape[0], columns: tensor.rowLength), BlockCodec.canDecode(tensor.type) else {
            return nil
        }
        let name = matrix.calibrationName
        let source = FeedbackSource(
            of: name, columns: tensor.rowLength, method: method, importance: work.importance, hessians: work.hessians)
        var (method, steps) = (method, steps)
        if method == .gptq, work.hessians != nil, source?.isWhole != true {
            method = .search
            steps.append("searched for want of second moments")
        }
        let format = layout.format(for: matrix.type)
        let importance = method == .nearest ? [] : work.importance?.weights(of: name) ?? []
        let grouped = GroupedMatrix(
            tensor, format, method: method, importance: importance, name: matrix.module, source: source, work: work)
        let across = layout.groupSize.map { "groups of \($0)" } ?? "rows"
        let words =
            ["\(tensor.type.rawValue) to \(layout.bits)-bit \(across), \(layout.scheme.rawValue), \(method.rawValue)"]
            + steps
        let writer = GroupedTensors(matrix, grouped, fate: words.joined(separator: ", "))
        return switch layout.scheme {
        case .mlxQ4, .mlxQ8: try writer.mlx()
        case .w4a16: try writer.packed()
        case .w8a8: try writer.integers()
        case .gptqQ4: try writer.gptq(threads: threads)
        }
    }
}
