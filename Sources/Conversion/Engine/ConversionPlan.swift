public import ModelGraph
public import TensorFiles

/// Makes the bytes of some rows of an output tensor. Called from several threads at once, each time with other rows;
/// a row's bytes must depend on nothing but the row's index, so that every way of cutting a tensor gives one file.
public typealias RowMaker = @Sendable (_ rows: Range<Int>) throws -> [UInt8]

/// What will be written, tensor by tensor, and how each one's rows are made; nothing has been read but headers.
///
/// `convert`, `quantize` and `join` all make one of these and hand it to `ConversionEngine`.
public struct ConversionPlan: Sendable {
    public enum Rows: Sendable {
        /// The tensor's rows as they are.
        case copied(Tensor)
        /// `prepare` is called once, before the tensor's first row is needed and on one thread; what it makes is
        /// called for runs of rows. `preparationBytes` is the memory that the preparation keeps, `rowBytes` what one
        /// row needs while it is being made, the result left out.
        case made(preparationBytes: Int, rowBytes: Int, prepare: @Sendable () throws -> RowMaker)
    }

    public struct Entry: Sendable {
        public let declaration: TensorDeclaration
        public let role: TensorRole?
        public let rows: Rows
        /// Rows are made in multiples of this many, where cutting finer would read something twice.
        public let rowMultiple: Int
        /// Rows are made only when those of all entries before are, whose work they use.
        public let followsPrevious: Bool
        /// Type and size of what it is made from.
        public let sourceType: ElementType
        public let sourceByteCount: Int
        /// What happens to it, for people: `BF16 to F16, rotary rows reordered`.
        public let fate: String

        public init(
            _ declaration: TensorDeclaration, role: TensorRole?, rows: Rows, rowMultiple: Int = 1,
            followsPrevious: Bool = false, sourceType: ElementType, sourceByteCount: Int, fate: String
        ) {
            self.declaration = declaration
            self.role = role
            self.rows = rows
            self.rowMultiple = max(1, rowMultiple)
            self.followsPrevious = followsPrevious
            self.sourceType = sourceType
            self.sourceByteCount = sourceByteCount
            self.fate = fate
        }

        /// A tensor that is copied, under a name.
        public init(copying tensor: Tensor, as name: String, role: TensorRole?, fate: String) throws {
            self.init(
                try TensorDeclaration(name: name, shape: tensor.shape, type: tensor.type), role: role,
                rows: .copied(tensor), sourceType: tensor.type, sourceByteCount: tensor.byteCount, fate: fate)
        }
    }

    /// In the order that `output` was made from.
    public var entries: [Entry]
    /// Files, headers, and where each entry's bytes go.
    public var output: OutputPlan
    /// What `output` was made from beside the entries; without it the plan cannot be split into parts.
    public var recipe: OutputRecipe?
    /// Whatever the bytes depend on beside names, shapes and types; a resumed run must agree.
    public var identity: String
    /// Odd, but no reason to stop.
    public var notes: [String]

    public init(entries: [Entry], output: OutputPlan, identity: String, notes: [String] = []) {
        self.entries = entries
        self.output = output
        self.identity = identity
        self.notes = notes
    }

    public init(entries: [Entry], recipe: OutputRecipe, identity: String, notes: [String] = []) throws {
        self.init(
            entries: entries, output: try recipe.plan(entries.map(\.declaration)), identity: identity, notes: notes)
        self.recipe = recipe
    }

    /// Entries as they are written.
    public var writingOrder: [Entry] { output.writingOrder.map { entries[$0] } }
}

extension ConversionPlan.Entry {
    var rowCount: Int {
        let declaration = self.declaration
        guard declaration.byteCount > 0 else { return 0 }
        return declaration.shape.dropLast().reduce(1, *)
    }

    var rowByteCount: Int { rowCount == 0 ? 0 : declaration.byteCount / rowCount }
}
