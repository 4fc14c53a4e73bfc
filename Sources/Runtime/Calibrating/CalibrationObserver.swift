import Kernels
import ModelGraph
import Quantization

/// Adds up the squares, a sketch of the products, and on request the products, of what each matrix is about to multiply.
final class CalibrationObserver: ForwardObserver {
    /// One input, which several matrices may share.
    struct Input {
        /// GGUF's names of the matrices.
        var names: [String]
        var columns: Int
        var tokens = 0
        /// Σ x² for each column.
        var sums: [Double]
        var sketch: MomentSketch
        /// columns × columns, Σ x x'; empty when not wanted.
        var moments: [Float] = []
    }

    private(set) var inputs: [String: Input] = [:]
    private let architecture: Architecture
    private let wantsMoments: Bool
    private let pool: WorkerPool
    private var flat: [Float] = []

    init(_ architecture: Architecture, wantsMoments: Bool, pool: WorkerPool, inputs: [String: Input] = [:]) {
        self.architecture = architecture
        self.wantsMoments = wantsMoments
        self.pool = pool
        self.inputs = inputs
    }

    /// GGUF's names of matrices, of the fused one where a family stores several as one.
    private func names(_ parts: [TensorRole.Part], _ block: Int?) -> [String] {
        var names: [String] = []
        for part in parts {
            let fused: TensorRole.Part? =
                switch part {
                case .query, .key, .value: .queryKeyValue
                case .gate, .up: .gateUp
                default: nil
                }
            let name =
                architecture.name(of: TensorRole(part, block: block), in: .gguf)
                ?? fused.flatMap { architecture.name(of: TensorRole($0, block: block), in: .gguf) }
            if let name, !names.contains(name) { names.append(name) }
        }
        return names
    }

    func input(of parts: [TensorRole.Part], block: Int?, _ rows: BufferRows) {
        // A tied model has no output matrix of its own, but what it multiplies there counts all the same.
        let found = names(parts, block)
        let names = found.isEmpty && parts == [.output] ? ["output.weight"] : found
        guard let first = names.first else { return }
        var input =
            inputs.removeValue(forKey: first)
            ?? Input(
                names: names, columns: rows.width, sums: [Double](repeating: 0, count: rows.width),
                sketch: MomentSketch(columns: rows.width))
        if wantsMoments, input.moments.isEmpty {
            input.moments = [Float](repeating: 0, count: rows.width * rows.width)
        }
        flat.removeAll(keepingCapacity: true)
        for row in 0..<rows.count {
            rows.withRow(row) { values in
                for column in values.indices {
                    let value = values[column]
                    input.sums[column] += Double(value) * Double(value)
                    flat.append(value)
                }
            }
        }
        input.sketch.add(flat, pool: pool)
        if wantsMoments { Moments.addMoments(of: flat, columns: rows.width, to: &input.moments, pool: pool) }
        input.tokens += rows.count
        inputs[first] = input
    }
}
