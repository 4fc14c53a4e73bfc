import CKernels

/// One head of the attention of a run of mask rows, between the products with the prefix.
struct AttentionKernels {
    typealias Row = ft_mask_row

    /// What each row of the chunk sees; `ownStart` counts rows of the key and value matrices.
    var rows: [Row]
    var headSize: Int
    var scale: Float
    var cap: Float

    static func row(first: Int, last: Int, ownStart: Int, ownCount: Int) -> Row {
        Row(first: Int32(first), last: Int32(last), own_start: Int32(ownStart), own_count: Int32(ownCount))
    }

    private func require(_ condition: Bool) { precondition(condition, "shapes of an attention kernel disagree") }

    /// Rows see no column outside `columns`, no own row outside `block`, and at most `own` of them.
    private func requireRows(columns: Int, own: Int, block: Int) {
        require(
            rows.allSatisfy {
                $0.first >= 0 && $0.first <= $0.last && $0.last <= columns && $0.own_count >= 0
                    && $0.own_count <= own && $0.own_start >= 0 && Int($0.own_start + $0.own_count) <= block
                    && ($0.first < $0.last || $0.own_count > 0)
            })
    }

    /// Turns products with the prefix's keys into probabilities, with those of the own block in `own`.
    func probabilities(
        _ scores: MatrixView, own: MatrixView, slopes: (prefix: MatrixView, own: MatrixView)?, queries: MatrixView,
        keys: MatrixView
    ) {
        require(scores.rows == rows.count && own.rows == rows.count && queries.rows == rows.count)
        require(queries.columns == headSize && keys.columns == headSize)
        requireRows(columns: scores.columns, own: own.columns, block: keys.rows)
        if let slopes {
            require(slopes.prefix.stride == scores.stride && slopes.prefix.rows == rows.count)
            require(slopes.own.stride == own.stride && slopes.own.rows == rows.count)
        }
        unsafe RowKernels.kernels.attention_probabilities(
            rows, rows.count, scores.pointer, slopes?.prefix.pointer, scores.stride, scores.columns, own.pointer,
            slopes?.own.pointer, own.stride, queries.pointer, queries.stride, keys.pointer, keys.stride, headSize,
            scale, cap)
    }

    /// output[row] += sum of weights[i] * x[i] over the row's own block.
    func addOwn(_ weights: MatrixView, _ x: MatrixView, to output: MatrixView) {
        require(weights.rows == rows.count && output.rows == rows.count)
        require(x.columns == headSize && output.columns == headSize)
        requireRows(columns: Int.max, own: weights.columns, block: x.rows)
        unsafe RowKernels.kernels.attention_add_own(
            rows, rows.count, weights.pointer, weights.stride, x.pointer, x.stride, output.pointer, output.stride,
            headSize)
    }

    struct Gradients {
        /// In: output gradient against the prefix's values; out: the scores' gradient.
        var scores: MatrixView
        var own: MatrixView
        /// Of the whole sequence's mask rows, this head's columns; added to.
        var keys: MatrixView
        var values: MatrixView
        var output: MatrixView
    }

    func scoresBackward(
        probabilities: MatrixView, own: MatrixView, slopes: (prefix: MatrixView, own: MatrixView)?,
        output: MatrixView, queries: MatrixView, values: MatrixView, gradients: Gradients
    ) {
        let columns = probabilities.columns
        require(gradients.scores.columns == columns && gradients.scores.stride == probabilities.stride)
        require(probabilities.rows == rows.count && gradients.scores.rows == rows.count)
        require(own.rows == rows.count && gradients.own.rows == rows.count && gradients.own.stride == own.stride)
        require(gradients.own.columns == own.columns)
        for part in [output, gradients.output, queries] {
            require(part.rows == rows.count && part.columns == headSize && part.stride == queries.stride)
        }
        for part in [values, gradients.keys, gradients.values] {
            require(part.columns == headSize && part.stride == values.stride && part.rows == values.rows)
        }
        requireRows(columns: columns, own: own.columns, block: values.rows)
        unsafe RowKernels.kernels.attention_scores_backward(
            rows, rows.count, probabilities.pointer, slopes?.prefix.pointer, gradients.scores.pointer,
            probabilities.stride, columns, own.pointer, slopes?.own.pointer, gradients.own.pointer, own.stride,
            output.pointer, gradients.output.pointer, queries.pointer, queries.stride, values.pointer,
            gradients.keys.pointer, gradients.values.pointer, values.stride, headSize, scale)
    }
}
