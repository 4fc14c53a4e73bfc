/// What a family of models *is*, as a document: how its settings are called, which building blocks its layers use,
/// and what each tensor does, with its name on the Hub and in GGUF and its shape.
///
/// Reader, writer, planner and runtime are driven by it; none knows a family by name. The format is specified in
/// formats/architecture.md. Documents of the families we have lie in `Families/`; `init(parsing:)` takes anybody's.
public struct Architecture: Sendable, Codable {
    /// Our name of the family.
    public var family: String
    /// One line for people.
    public var title: String?
    public var hub: HubDialect
    public var gguf: GGUFDialect
    /// Numbers by name; those that `ModelConfiguration` needs have fixed names (`FieldName`), others serve expressions.
    public var fields: [String: FieldRule]
    public var constraints: [Constraint]?
    public var blocks: Blocks
    public var layers: LayerRules?
    /// The first is used by every layer that turns, the second by sliding layers where there is one.
    public var rotaries: [RotaryRule]
    public var tensors: [String: TensorRule]

    public struct HubDialect: Sendable, Codable {
        /// `model_type` values of this family.
        public var modelTypes: [String]
        /// `architectures` values of this family.
        public var architectures: [String]
        /// What is added to a stored norm weight before it multiplies (Gemma: 1).
        public var normOffset: Double?
        /// Names of settings that must have one of the listed values (or be absent), or else the model uses building
        /// blocks that the description does not state.
        public var expected: [String: [Setting]]?
        /// Settings that a written `config.json` gets besides the fields; `{"tensor": part}` is whether there is one.
        public var constants: [String: Setting]?
        /// Patterns (`*` for any run) of tensors without a role, left behind silently.
        public var ignored: [String]?
    }

    public struct GGUFDialect: Sendable, Codable {
        /// `general.architecture`.
        public var architecture: String
        /// Order of the rows of query and key in a GGUF file.
        public var rotaryOrder: ModelConfiguration.RotaryOrder
        public var expected: [String: [Setting]]?
        public var ignored: [String]?
    }

    /// Where a number comes from.
    public struct FieldRule: Sendable, Codable {
        public var hub: Source?
        public var gguf: Source?
        /// The value where no setting gives one; without a default the setting is required, unless `optional`.
        public var `default`: Expression?
        public var optional: Bool?

        public struct Source: Sendable {
            /// Names to read from, the first that has a value wins.
            public var names: [String]
            /// Names to write to; the first of `names` unless said.
            public var written: [String]
            /// Value of the field from the stored `value`, and back.
            public var read: Expression?
            public var write: Expression?
            /// The setting counts only where this one is true.
            public var when: String?
            /// Leave the setting out when it has the default's value.
            public var omitsDefault: Bool
            /// Written where the field has no value.
            public var absent: Double?
        }
    }

    /// Something that must hold between fields.
    public struct Constraint: Sendable, Codable {
        public var that: Expression
        public var message: String
    }

    /// The building blocks of a layer.
    public struct Blocks: Sendable, Codable {
        public var attentionNorm: Bool
        public var postAttentionNorm: Bool
        public var feedForwardNorm: Bool
        public var postFeedForwardNorm: Bool
        public var queryKeyNorm: ModelConfiguration.QueryKeyNorm
        public var activation: ModelConfiguration.Activation
    }

    public struct LayerRules: Sendable, Codable {
        /// Which layers see only a window; needs the field `slidingWindow`.
        public var sliding: Flag?
        /// Which layers turn queries and keys.
        public var rotary: Flag?

        /// One truth for each layer: from a list of settings, or else from an expression over `layer`.
        public struct Flag: Sendable, Codable {
            public var hub: List?
            public var gguf: List?
            public var `default`: Expression

            public struct List: Sendable, Codable {
                public var name: String
                /// The entry that means yes; by default true or a number other than zero.
                public var equals: Setting?
                /// The entry written for no.
                public var otherwise: Setting?
            }
        }
    }

    public struct RotaryRule: Sendable, Codable {
        public var base: FieldRule
        /// Hub: names of objects that may hold a scaling (`rope_type`, `factor`, …), the first found wins.
        public var scaling: [String]?
        /// GGUF: this rotary is scaled by the file's `rope.scaling` keys and factor tensors.
        public var scaledInGGUF: Bool?
        /// Other names of scaling types on the Hub: Phi-3 says `su` and means `longrope`.
        public var scalingAliases: [String: String]?
    }

    public struct TensorRule: Sendable, Codable {
        /// `nil`: the dialect has no such tensor. `{block}` is the block's index.
        public var hub: String?
        public var gguf: String?
        /// Outermost dimension first, over the fields.
        public var shape: [Expression]
        public var optional: Bool?
        /// The field that counts the heads in its rows, for tensors whose rows GGUF may permute.
        public var rotaryHeads: String?
        /// Hub: the norm offset applies.
        public var isOffsetNorm: Bool?
    }
}

extension Architecture.FieldRule.Source: Codable {
    private enum Key: String, CodingKey { case names, written, read, write, when, omitsDefault, absent }

    /// A name, a list of names, or an object.
    public init(from decoder: any Decoder) throws {
        if let container = try? decoder.singleValueContainer() {
            if let name = try? container.decode(String.self) {
                self.init(names: [name], written: [name], omitsDefault: false)
                return
            }
            if let names = try? container.decode([String].self) {
                self.init(names: names, written: Array(names.prefix(1)), omitsDefault: false)
                return
            }
        }
        let container = try decoder.container(keyedBy: Key.self)
        let names = try container.decode([String].self, forKey: .names)
        self.init(
            names: names,
            written: try container.decodeIfPresent([String].self, forKey: .written) ?? Array(names.prefix(1)),
            read: try container.decodeIfPresent(Expression.self, forKey: .read),
            write: try container.decodeIfPresent(Expression.self, forKey: .write),
            when: try container.decodeIfPresent(String.self, forKey: .when),
            omitsDefault: try container.decodeIfPresent(Bool.self, forKey: .omitsDefault) ?? false,
            absent: try container.decodeIfPresent(Double.self, forKey: .absent))
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(names, forKey: .names)
        try container.encode(written, forKey: .written)
        try container.encodeIfPresent(read, forKey: .read)
        try container.encodeIfPresent(write, forKey: .write)
        try container.encodeIfPresent(when, forKey: .when)
        if omitsDefault { try container.encode(true, forKey: .omitsDefault) }
        try container.encodeIfPresent(absent, forKey: .absent)
    }
}

/// The fields that `ModelConfiguration` is made of.
public enum FieldName: String, CaseIterable, Sendable {
    case blockCount, contextLength, hiddenSize, feedForwardSize, headCount, keyValueHeadCount, headSize, valueSize
    case normEpsilon, vocabularySize, rotaryDimension
    case slidingWindow, attentionSoftCap, finalSoftCap
    case attentionScale, embeddingScale, residualScale, logitScale
    /// On the Hub; in a GGUF, embeddings are tied where there is no output tensor.
    case tiedEmbeddings

    /// Where a sane value lies; whole numbers unless `isReal`.
    var limits: ClosedRange<Double> {
        switch self {
        case .blockCount: 1...4096
        case .contextLength: 1...1e12
        case .hiddenSize, .vocabularySize: 1...16_777_216
        case .feedForwardSize: 1...67_108_864
        case .headCount, .keyValueHeadCount, .headSize, .valueSize, .rotaryDimension: 1...65_536
        case .slidingWindow: 1...1e12
        case .normEpsilon: 0...1
        case .tiedEmbeddings: 0...1
        case .attentionSoftCap, .finalSoftCap, .attentionScale, .embeddingScale, .residualScale, .logitScale:
            1e-12...1e12
        }
    }

    var isReal: Bool {
        switch self {
        case .normEpsilon, .attentionSoftCap, .finalSoftCap, .attentionScale, .embeddingScale, .residualScale,
            .logitScale:
            true
        default: false
        }
    }
}
