import TensorFiles

extension GraphPass {
    /// Query and key rows in another order, together with everything that is laid out like them: their biases and,
    /// over the full width, their norms. Exact for any element type: rows move, they do not change.
    public static func rotaryOrder(_ order: ModelConfiguration.RotaryOrder) -> GraphPass {
        GraphPass(name: "rotaryOrder(\(order.rawValue))", preservesFunction: true) { graph in
            guard graph.configuration.rotaryOrder != order else { return graph }
            var graph = graph
            let rows = HeadRowOrder(headSize: graph.configuration.headSize, target: order)
            for (role, tensor) in graph.tensors where role.part.turns(with: graph.configuration.queryKeyNorm) {
                guard let permuted = tensor.withRowsPermuted(rows) else {
                    throw ModelError.pass(
                        "rotaryOrder", reason: "\(tensor.name) of shape \(tensor.shape) is not made of whole heads")
                }
                graph.tensors[role] = permuted
            }
            if graph.tensors.keys.contains(where: { $0.part == .queryKeyValue || $0.part == .queryKeyValueBias }) {
                throw ModelError.pass("rotaryOrder", reason: "split fused projections first")
            }
            graph.configuration.rotaryOrder = order
            return graph
        }
    }
}

extension TensorRole.Part {
    fileprivate func turns(with norm: ModelConfiguration.QueryKeyNorm) -> Bool {
        switch self {
        case .query, .key, .queryBias, .keyBias: true
        case .queryNorm, .keyNorm: norm != .none
        default: false
        }
    }
}

extension Tensor {
    func withRowsPermuted(_ order: HeadRowOrder) -> Tensor? {
        guard let rows = shape.first, rows % order.headSize == 0, shape.count == 2 || type.block.elements == 1 else {
            return nil
        }
        return Tensor(name: name, shape: shape, type: type, source: PermutedRows(base: self, order: order))
    }
}
