/// How much the relative output error of a tensor adds to the model's divergence, by class: divergence in nats for a
/// relative squared error of 1, as far as the two grow together.
///
/// Measured on a trained model of 4 blocks (fixtures/pycode) by quantizing one class at a time to 4 to 6 bits with
/// importance and comparing 8,192 tokens with float activations: the divergence over the sum of the class's relative
/// squared errors. The matrix that makes the logits stands out: its error meets no later layer that could absorb it.
struct Sensitivity: Sendable {
    /// The embedding table makes the logits too.
    let isTied: Bool

    func factor(_ subject: QuantizationSubject) -> Double {
        switch subject.kind {
        case .output: 2.2
        // Apart from the logits a table's error passes through every block; no model was measured for it alone.
        case .embedding: isTied ? 2.2 : 0.3
        case .key: 0.29
        case .value, .queryKeyValue: 0.16
        case .down: 0.12
        case .query: 0.11
        case .attentionOutput, .other: 0.075
        case .gate: 0.07
        case .up: 0.04
        case .protected: 0
        }
    }
}
