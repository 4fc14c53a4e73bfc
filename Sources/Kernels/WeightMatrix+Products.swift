import CKernels

/// One matrix of a product of several, and where its outputs go: row r's begin at `offset + r * rowStride`.
public struct Product: Sendable {
    public var matrix: WeightMatrix
    public var output: FloatBuffer
    public var offset: Int
    public var rowStride: Int

    /// - Parameter rowStride: `nil` for the matrix's rows, so that the outputs are contiguous.
    public init(_ matrix: WeightMatrix, into output: FloatBuffer, offset: Int = 0, rowStride: Int? = nil) {
        self.matrix = matrix
        self.output = output
        self.offset = offset
        self.rowStride = rowStride ?? matrix.rows
    }

    /// Checks that all outputs lie in the buffer.
    fileprivate func prepared(_ x: Activations, outputs: Int) throws(KernelError) -> ft_product {
        precondition(x.columns == matrix.columns, "activations of another length than the weights'")
        precondition(rowStride >= outputs, "rows of outputs overlap")
        let last = offset + (x.rows - 1) * rowStride + outputs
        return unsafe ft_product(
            weights: matrix.weights, x: try x.inForm(matrix.form), out: output.address(offset..<last),
            stride: rowStride)
    }
}

extension WeightMatrix {
    /// All outputs for all rows of `x`: output o of row r goes to `offset + r * rowStride + o`.
    public func multiply(
        _ x: Activations, into output: FloatBuffer, offset: Int = 0, rowStride: Int? = nil
    ) throws(KernelError) {
        let product = Product(self, into: output, offset: offset, rowStride: rowStride)
        try WeightMatrix.multiply(CollectionOfOne(product), x)
    }

    /// Several matrices with the same activations in one parallel region: query, key and value; gate and up.
    public static func multiply(_ products: some Collection<Product>, _ x: Activations) throws(KernelError) {
        try multiply(products.lazy.map { (product: $0, input: x) })
    }

    /// The same for matrices with activations of their own.
    public static func multiply(
        _ products: some Collection<(product: Product, input: Activations)>
    ) throws(KernelError) {
        guard let pool = products.first?.product.matrix.pool else { return }
        var list = unsafe [ft_product]()
        unsafe list.reserveCapacity(products.count)
        for (product, input) in products {
            unsafe list.append(try product.prepared(input, outputs: product.matrix.rows))
        }
        unsafe ft_product_run(pool.instructionSet.identifier, pool.handle, list, list.count)
    }

    /// Outputs of chosen rows of weights only: that of `chosen[i]` goes to `offset + r * rowStride + i`, the same bits
    /// that the product with all rows gives. Costs least when the chosen rows are near each other.
    public func multiply(
        _ x: Activations, chosen: [UInt32], into output: FloatBuffer, offset: Int = 0, rowStride: Int? = nil
    ) throws(KernelError) {
        guard !chosen.isEmpty else { return }
        precondition(chosen.allSatisfy { $0 < rows }, "rows outside the matrix")
        let target = Product(self, into: output, offset: offset, rowStride: rowStride ?? chosen.count)
        var product = unsafe try target.prepared(x, outputs: chosen.count)
        unsafe ft_product_chosen(pool.instructionSet.identifier, pool.handle, &product, chosen, chosen.count)
    }
}
