import Kernels
public import TensorFiles

extension ImportanceMatrix {
    /// Reads llama.cpp's layout: a GGUF of type `imatrix` with `<weight>.in_sum2` and `<weight>.counts`.
    public init(path: String) throws { try self.init(GGUFFile(path: path)) }

    /// The same from a file that is open already.
    public init(_ file: GGUFFile) throws {
        let path = file.file.path
        func fail(_ message: String) -> QuantizationError { .badImportance(file: path, message) }
        // IM-01
        guard case .string("imatrix")? = file.metadata["general.type"] else {
            throw fail("this is no importance matrix: its general.type is not \"imatrix\"")
        }
        self.init(entries: [:], path: path)
        if case .array(let names)? = file.metadata["imatrix.datasets"] { datasets = names.strings ?? [] }
        if case .uint32(let count)? = file.metadata["imatrix.chunk_count"] { chunkCount = Int(count) }
        if case .uint32(let size)? = file.metadata["imatrix.chunk_size"] { chunkSize = Int(size) }
        for kind in QuantizationSubject.Class.allCases {
            guard let value = file.metadata[Self.sensitivityKey(kind)] else { continue }
            // IM-06
            guard case .float32(let number) = value, number.isFinite, number > 0 else {
                throw fail("\(Self.sensitivityKey(kind)) is no positive number")
            }
            sensitivities[kind] = Double(number)
        }
        let tensors = Dictionary(file.tensors.map { ($0.name, $0) }) { first, _ in first }
        for tensor in file.tensors where tensor.name.hasSuffix(".in_sum2") {
            let name = String(tensor.name.dropLast(".in_sum2".count))
            // IM-02
            guard let counts = tensors[name + ".counts"] else { throw fail("\(name) has sums but no counts") }
            guard tensor.type == .f32, counts.type == .f32 else { throw fail("\(name): sums and counts must be F32") }
            let entry = Entry(sums: try tensor.floats(), counts: try counts.floats())
            // IM-03
            guard !entry.counts.isEmpty, entry.counts.count * tensor.rowLength == entry.sums.count else {
                throw fail(
                    "\(name) has \(entry.sums.count) sums and \(entry.counts.count) counts, which do not agree")
            }
            // IM-04
            guard entry.sums.allSatisfy({ $0.isFinite && $0 >= 0 }),
                entry.counts.allSatisfy({ $0.isFinite && $0 >= 0 })
            else { throw fail("\(name) has a sum or count that is negative or no number") }
            entries[name] = entry
        }
        guard !entries.isEmpty else { throw fail("it holds no sums") }
        try readFactors(file)
    }

    /// Writes the same layout; llama-quantize reads it.
    public func write(to path: String, overwrites: Bool = false) throws {
        var metadata = GGUFMetadata()
        metadata["general.type"] = .string("imatrix")
        metadata["imatrix.datasets"] = .array(GGUFArray(datasets))
        metadata["imatrix.chunk_count"] = .uint32(UInt32(clamping: chunkCount))
        metadata["imatrix.chunk_size"] = .uint32(UInt32(clamping: chunkSize))
        for (kind, value) in sensitivities.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
            metadata[Self.sensitivityKey(kind)] = .float32(Float(value))
        }
        var tensors: [Tensor] = []
        for (name, entry) in entries.sorted(by: { $0.key < $1.key }) {
            let experts = entry.counts.count
            tensors.append(try Self.tensor(name + ".in_sum2", [experts, entry.columns], entry.sums))
            tensors.append(try Self.tensor(name + ".counts", [experts, 1], entry.counts))
        }
        writeFactors(&metadata, &tensors)
        let slash = path.lastIndex(of: "/")
        let folder = slash.map { path[..<$0].isEmpty ? "/" : String(path[..<$0]) } ?? "."
        let file = slash.map { String(path[path.index(after: $0)...]) } ?? path
        let output = try OutputPlan.gguf(
            tensors.map(TensorDeclaration.init), metadata: metadata, name: file, digests: false)
        let writer = try CheckpointWriter(output, folder: folder, options: .init(overwrites: overwrites))
        for index in output.writingOrder { try writer.write(tensors[index]) }
        try writer.finish()
    }

    private static func sensitivityKey(_ kind: QuantizationSubject.Class) -> String {
        "foretoken.sensitivity.\(kind.rawValue)"
    }

    private static func tensor(_ name: String, _ shape: [Int], _ values: [Float]) throws -> Tensor {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(values.count * 4)
        for value in values { bytes.appendLittleEndian(value.bitPattern) }
        guard let tensor = Tensor(name: name, shape: shape, type: .f32, source: MemorySource(bytes)) else {
            throw QuantizationError.badImportance(file: name, "its statistics have no sensible shape")
        }
        return tensor
    }
}
