/// How much the relative output error of a tensor adds to the model's divergence, by class: divergence for a relative
/// squared error of 1, as far as the two grow together. Only the proportions matter.
///
/// `calibrate` measures it on the model itself. Where that was not done, typical proportions serve: the geometric
/// means of what was measured on two trained models that differ much, fixtures/pycode and fixtures/stories260K. The
/// matrix that makes the logits stands out: its error meets no later layer that could absorb it. A mistake about it
/// costs most, so it is given half as much again.
struct Sensitivity {
    /// The embedding table makes the logits too.
    let isTied: Bool
    /// As `calibrate` found them.
    let measured: [QuantizationSubject.Class: Double]

    func factor(_ subject: QuantizationSubject) -> Double {
        if let factor = measured[subject.kind] { return factor }
        return typical(subject.kind) * scale
    }

    /// Brings typical proportions beside measured values, for classes that were not measured.
    private var scale: Double {
        let ratios = measured.map { $0.value / typical($0.key) }.filter { $0.isFinite && $0 > 0 }.sorted()
        return ratios.isEmpty ? 1 : ratios[ratios.count / 2]
    }

    private func typical(_ kind: QuantizationSubject.Class) -> Double {
        switch kind {
        case .output: 1.5
        // Apart from the logits a table's error passes through every block; no model was measured for it alone.
        case .embedding: isTied ? 1.5 : 0.14
        case .key: 0.19
        case .down: 0.1
        case .value, .queryKeyValue, .gate: 0.076
        case .up: 0.058
        case .query: 0.048
        case .attentionOutput, .other: 0.034
        case .protected: 0
        }
    }
}
