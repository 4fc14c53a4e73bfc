import Kernels
import ModelGraph
public import TensorFiles

/// A type for every tensor of a model, and why.
public struct TypePlan: Sendable, Hashable {
    public struct Entry: Sendable, Hashable {
        public let subject: QuantizationSubject
        public var type: ElementType
        /// The type that was wanted where rows do not divide into its blocks.
        public var wanted: ElementType?
        /// Where the choice comes from, for people: `preset q4_k_m`, `rule 2`, `norms are kept`.
        public var reason: String
        public var method: BlockMethod

        public init(
            subject: QuantizationSubject, type: ElementType, wanted: ElementType? = nil, reason: String,
            method: BlockMethod = .search
        ) {
            self.subject = subject
            self.type = type
            self.wanted = wanted
            self.reason = reason
            self.method = method
        }

        /// Bytes of the tensor's data, without padding.
        public var byteCount: Int {
            let shape = subject.shape
            guard let row = type.byteCount(elements: shape.last ?? 1) else { return 0 }
            return shape.dropLast().reduce(row, *)
        }
    }

    public var entries: [Entry]
    /// `general.file_type` of the result, where it has one.
    public var fileType: UInt32?

    public init(entries: [Entry], fileType: UInt32? = nil) {
        self.entries = entries
        self.fileType = fileType
    }

    /// Bytes of all tensors as a GGUF lays them out, each padded to the alignment.
    public func paddedByteCount(alignment: Int = 32) -> Int {
        entries.reduce(0) { $0 + Self.padded($1.byteCount, alignment) }
    }

    static func padded(_ bytes: Int, _ alignment: Int) -> Int { (bytes + alignment - 1) / alignment * alignment }

    public subscript(name: String) -> Entry? { entries.first { $0.subject.name == name } }
}

/// How blocks are chosen.
public enum BlockMethod: String, Sendable, CaseIterable, Codable {
    /// ggml's rule for the plain types; K types and IQ4, which have none, are searched.
    case nearest
    /// The least weighted squared error.
    case search
    /// GPTQ with searched scales: later columns make up for the errors of earlier ones.
    case gptq
}

extension TypePlan {
    /// A plan from a preset.
    public init(
        preset: Preset, _ subjects: [QuantizationSubject], _ context: QuantizationContext,
        method: BlockMethod = .search
    ) {
        let chooser = TypeChooser(subjects, context)
        entries = subjects.map { subject in
            chooser.entry(
                subject, wanted: chooser.type(of: subject, in: preset), reason: "preset \(preset.rawValue)",
                method: method)
        }
        fileType = preset.fileType
    }

    /// One type for every tensor that may be quantized: llama-quantize's `--pure`.
    public init(
        uniform type: ElementType, _ subjects: [QuantizationSubject], _ context: QuantizationContext,
        method: BlockMethod = .search
    ) {
        let chooser = TypeChooser(subjects, context)
        entries = subjects.map { chooser.entry($0, wanted: type, reason: "all \(type.rawValue)", method: method) }
        fileType = Preset(name: type.rawValue)?.fileType
    }
}

/// What presets, recipes and the planner share: who may be quantized, mixing positions, fallbacks.
struct TypeChooser {
    let context: QuantizationContext
    /// The embedding table makes the logits too.
    let tied: Bool
    private let positions: [String: MixingPosition]

    init(_ subjects: [QuantizationSubject], _ context: QuantizationContext) {
        self.context = context
        tied = !subjects.contains { $0.kind == .output }
        let valueLike = subjects.filter { $0.kind == .value || $0.kind == .queryKeyValue }
            .sorted { ($0.block ?? 0, $0.name) < ($1.block ?? 0, $1.name) }
        var positions: [String: MixingPosition] = [:]
        for subject in subjects {
            positions[subject.name] = MixingPosition(valueCount: valueLike.count, block: subject.block ?? 0)
        }
        for (rank, subject) in valueLike.enumerated() { positions[subject.name]?.value = rank }
        self.positions = positions
    }

    func type(of subject: QuantizationSubject, in preset: Preset) -> ElementType {
        preset.type(of: subject, at: positions[subject.name] ?? MixingPosition(), tied: tied, context)
    }

    /// The entry for a wanted type: kept where the tensor is not to be quantized, fallen back where rows do not
    /// divide.
    func entry(
        _ subject: QuantizationSubject, wanted: ElementType, reason: String, method: BlockMethod
    ) -> TypePlan.Entry {
        guard subject.kind != .protected else {
            return .init(subject: subject, type: Self.keptType(subject), reason: "kept as it is", method: .nearest)
        }
        let type = Self.fitting(wanted, rowLength: subject.rowLength)
        return .init(
            subject: subject, type: type, wanted: type == wanted ? nil : wanted, reason: reason, method: method)
    }

    /// QF-01: vectors and norms are F32, matrices that are kept stay in their precision.
    static func keptType(_ subject: QuantizationSubject) -> ElementType {
        if subject.shape.count < 2 { return .f32 }
        switch subject.sourceType {
        case .f16, .bf16, .f32, .i8, .i16, .i32, .i64: return subject.sourceType
        default: return .f16
        }
    }

    /// QF-02: where rows are not whole blocks of the wanted type, the nearest type with blocks of 32 that loses no
    /// more; where not even those fit, F16.
    static func fitting(_ wanted: ElementType, rowLength: Int) -> ElementType {
        if rowLength % wanted.block.elements == 0 { return wanted }
        let smaller: ElementType =
            switch wanted {
            case .iq4_XS: .iq4_NL
            case .q2_K, .q3_K: .q4_0
            case .q4_K: .q5_0
            case .q5_K: .q5_1
            case .q6_K: .q8_0
            default: .f16
            }
        return rowLength % smaller.block.elements == 0 ? smaller : .f16
    }

    /// Types the planner may choose from for a tensor.
    static func candidates(_ subject: QuantizationSubject, _ types: [ElementType]) -> [ElementType] {
        let fitting = types.map { Self.fitting($0, rowLength: subject.rowLength) }
        return types.indices.compactMap { fitting[..<$0].contains(fitting[$0]) ? nil : fitting[$0] }
    }
}
