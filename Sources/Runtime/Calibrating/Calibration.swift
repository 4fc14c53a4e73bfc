import Kernels
import ModelGraph
public import Quantization
public import TensorFiles
import Tokenizers

/// Measures, over a text, what the inputs of a model's matrices look like.
public struct Calibration {
    public struct Result {
        public var importance: ImportanceMatrix
        /// Inputs for which second moments were kept.
        public var momentCount: Int
        public var tokens: Int
    }

    public var model: LanguageModel
    /// Tokens of a window; each window starts with the beginning-of-text token where the model has one.
    public var windowSize = 512
    public var wantsMoments = false
    /// How much each class of matrix matters is measured too, at the price of about two windows for each class.
    public var wantsSensitivities = true
    /// How often an unfinished run is saved.
    package var saveInterval = Duration.seconds(30)
    /// What the text is called in the matrix.
    public var dataset: String
    /// An interrupted run is gone on with.
    public var resumes = false
    public var overwrites = false

    public init(_ model: LanguageModel, dataset: String) {
        self.model = model
        self.dataset = dataset
    }

    /// Runs the model over `tokens` and writes the matrix to `path`, second moments beside it.
    public func run(_ tokens: [Int], to path: String, progress: ProgressHandler? = nil) throws -> Result {
        guard let architecture = model.graph.origin?.architecture else {
            throw RuntimeError.unsupported("\(model.path): a model without a description cannot be calibrated")
        }
        let size = min(windowSize, model.configuration.contextLength)
        let begin = model.tokenizer?.special.bos
        let step = begin == nil ? size : size - 1
        let count = tokens.count / step
        guard count > 0 else {
            throw RuntimeError.unsupported("the text has \(tokens.count) tokens; calibration needs at least \(step)")
        }
        let state = CalibrationState(
            path: path + ".partial", identity: "\(model.path) \(size) \(wantsMoments) \(Self.digest(tokens))")
        let (done, inputs) = resumes ? try state.load() : (0, [:])
        let observer = CalibrationObserver(
            architecture, wantsMoments: wantsMoments, pool: model.transformer.pool, inputs: inputs)
        let sequence = try model.sequence(positions: size, precision: .f32)
        var sinceSaved = ContinuousClock.now
        for window in done..<count {
            sequence.truncate(to: 0)
            let own = Array(tokens[window * step..<(window + 1) * step])
            try sequence.forward(Row.chain((begin.map { [$0] } ?? []) + own), observer: observer)
            // The unembedding is not computed, but its input is the matrix's all the same.
            progress?(
                Progress(stage: "calibrating", completed: (window + 1) * size, total: count * size, unit: .tokens))
            if ContinuousClock.now - sinceSaved > saveInterval {
                try state.save(observer.inputs, windows: window + 1)
                sinceSaved = .now
            }
        }
        var result = matrix(observer.inputs, windows: count, size: size)
        if wantsSensitivities {
            let measurement = SensitivityMeasurement(model: model, architecture: architecture, importance: result)
            let windows = (0..<min(count, 32)).map { window in
                (begin.map { [$0] } ?? []) + tokens[window * step..<(window + 1) * step]
            }
            result.sensitivities = try measurement.run(windows, progress: progress)
        }
        try result.write(to: path, overwrites: overwrites)
        if wantsMoments {
            try CalibrationState.writeMoments(
                observer.inputs, to: HessianStore.path(beside: path), overwrites: overwrites)
        }
        state.remove()
        return Result(
            importance: result, momentCount: wantsMoments ? observer.inputs.count : 0, tokens: count * size)
    }

    private func matrix(
        _ inputs: [String: CalibrationObserver.Input], windows: Int, size: Int
    ) -> ImportanceMatrix {
        var matrix = ImportanceMatrix(datasets: [dataset], chunkCount: windows, chunkSize: size)
        for (first, input) in inputs {
            let entry = ImportanceMatrix.Entry(sums: input.sums.map { Float($0) }, counts: [Float(input.tokens)])
            for name in input.names { matrix.entries[name] = entry }
            matrix.setFactor(of: input.sketch, tokens: input.tokens, names: input.names, first: first)
        }
        return matrix
    }

    /// Tells texts apart, for resuming: FNV-1a over the ids.
    private static func digest(_ tokens: [Int]) -> UInt64 {
        tokens.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64(truncatingIfNeeded: $1)) &* 0x100_0000_01b3 }
    }
}
