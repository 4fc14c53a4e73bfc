public import Kernels
import TensorFiles

/// What the matrix knows of its inputs beyond single columns: formats/importance.md.
extension ImportanceMatrix {
    static let factorSuffix = ".in_factors"
    private static let sumSuffix = ".in_sum"
    private static let namesKey = "foretoken.factors.names"
    private static let ownersKey = "foretoken.factors.of"

    /// Keeps what a sketch over `tokens` tokens found, for all matrices with the input; `first` is one of them.
    public mutating func setFactor(of sketch: MomentSketch, tokens: Int, names: [String], first: String) {
        let columns = sketch.columns
        let rank = ErrorFeedback.rank
        let factor = sketch.factor()
        let scale = 1 / Float(max(1, tokens)).squareRoot()
        let values = (0..<rank * columns).map { factor[$0 % columns * rank + $0 / columns] * scale }
        guard let bytes = try? BlockCodec.encode(.bf16, .nearest, values, rowLength: columns) else { return }
        guard
            let tensor = Tensor(
                name: first + Self.factorSuffix, shape: [rank, columns], type: .bf16, source: MemorySource(bytes))
        else { return }
        factors[first] = tensor
        for name in names where name != first { factorOwners[name] = first }
    }

    private func factor(of name: String) -> Tensor? {
        let names = name == "token_embd.weight" ? [name, "output.weight"] : [name]
        return names.lazy.compactMap { factors[$0] ?? factorOwners[$0].flatMap { factors[$0] } }.first
    }

    /// Whether more is known of a matrix's inputs than the mean squares of its columns.
    public func hasFactor(of name: String, columns: Int) -> Bool { factor(of: name)?.rowLength == columns }

    /// How a plain matrix's codes are chosen; `nil` where only columns are known.
    public func feedback(of name: String, columns: Int) throws -> ErrorFeedback? {
        guard let tensor = factor(of: name), tensor.rowLength == columns else { return nil }
        let diagonal = weights(of: name)
        guard diagonal.count == columns else { return nil }
        let values = try tensor.floats()
        // IM-08
        guard BlockCodec.firstNonfinite(values) == nil else {
            throw QuantizationError.badImportance(file: path, "\(tensor.name) has a factor that is no number")
        }
        let rank = ErrorFeedback.rank
        var factor = [Float](repeating: 0, count: columns * rank)
        for direction in 0..<tensor.rowCount {
            for column in 0..<columns { factor[column * rank + direction] = values[direction * columns + column] }
        }
        return ErrorFeedback(diagonal: diagonal, factor: factor)
    }

    mutating func readFactors(_ file: GGUFFile) throws(QuantizationError) {
        for tensor in file.tensors where tensor.name.hasSuffix(Self.factorSuffix) {
            let name = String(tensor.name.dropLast(Self.factorSuffix.count))
            // IM-07
            guard tensor.shape.count == 2, tensor.rowCount <= ErrorFeedback.rank,
                tensor.rowLength == entries[name]?.columns, [.f32, .f16, .bf16].contains(tensor.type)
            else {
                throw .badImportance(
                    file: path,
                    "\(tensor.name) is \(tensor.type.rawValue) of shape \(tensor.shape); at most \(ErrorFeedback.rank) rows "
                        + "of plain floats, as long as \(name)'s sums, can be used")
            }
            factors[name] = tensor
        }
        for tensor in file.tensors where tensor.name.hasSuffix(Self.sumSuffix) {
            try readSums(tensor, of: String(tensor.name.dropLast(Self.sumSuffix.count)))
        }
        guard file.metadata[Self.namesKey] != nil || file.metadata[Self.ownersKey] != nil else { return }
        // IM-10
        guard case .array(let first)? = file.metadata[Self.namesKey], let names = first.strings,
            case .array(let second)? = file.metadata[Self.ownersKey], let owners = second.strings,
            names.count == owners.count
        else {
            throw .badImportance(file: path, "\(Self.namesKey) and \(Self.ownersKey) are no lists of as many names")
        }
        factorOwners = Dictionary(zip(names, owners)) { first, _ in first }
    }

    /// llama-imatrix's sums of the inputs themselves: their mean is one direction, and H holds no less of it.
    private mutating func readSums(_ tensor: Tensor, of name: String) throws(QuantizationError) {
        guard let entry = entries[name] else { return }
        let values = try? tensor.floats()
        // IM-09
        guard let values, tensor.type == .f32, values.count == entry.sums.count,
            BlockCodec.firstNonfinite(values) == nil
        else { throw .badImportance(file: path, "\(tensor.name) is no sum for each of \(name)'s columns") }
        guard factors[name] == nil, entry.counts.count == 1, entry.counts[0] > 0 else { return }
        var bytes: [UInt8] = []
        for value in values { bytes.appendLittleEndian((value / entry.counts[0]).bitPattern) }
        factors[name] = Tensor(
            name: name + Self.factorSuffix, shape: [1, values.count], type: .f32, source: MemorySource(bytes))
    }

    func writeFactors(_ metadata: inout GGUFMetadata, _ tensors: inout [Tensor]) {
        guard !factors.isEmpty else { return }
        let owners = factorOwners.sorted { $0.key < $1.key }
        metadata[Self.namesKey] = .array(GGUFArray(owners.map(\.key)))
        metadata[Self.ownersKey] = .array(GGUFArray(owners.map(\.value)))
        tensors += factors.sorted { $0.key < $1.key }.map(\.value)
    }
}
