/// The rules of the formats, by the identifiers that formats/*.md gives them.
public enum Rule: String, CaseIterable, Hashable, Sendable {
    // safetensors, formats/safetensors.md.
    case headerLengthMissing = "ST-01"
    case headerTooLarge = "ST-02"
    case headerCutShort = "ST-03"
    case headerStartsWithBrace = "ST-04"
    case headerIsJSON = "ST-05"
    case duplicateName = "ST-06"
    case metadataIsStrings = "ST-07"
    case entryFields = "ST-08"
    case unknownDtype = "ST-09"
    case invalidShape = "ST-10"
    case sizeOverflow = "ST-11"
    case partialByte = "ST-12"
    case invalidOffsets = "ST-13"
    case sizeMismatch = "ST-14"
    case hole = "ST-15"
    case overlap = "ST-16"
    case dataCutShort = "ST-17"
    case trailingBytes = "ST-18"
    case unknownEntryField = "ST-19"
    // The shard index, formats/safetensors.md.
    case indexIsJSON = "IX-01"
    case indexFileName = "IX-02"
    case indexLinkLeavesFolder = "IX-03"
    case shardMissing = "IX-04"
    case tensorMissing = "IX-05"
    case tensorExtra = "IX-06"
    case tensorMisnamed = "IX-07"
    case tensorTwice = "IX-08"
    case totalSize = "IX-09"
    case tensorInOtherShard = "IX-10"
    case shardUnlisted = "IX-11"
    // GGUF, formats/gguf.md.
    case ggufMagic = "GG-01"
    case ggufVersion = "GG-02"
    case ggufByteOrder = "GG-03"
    case ggufCounts = "GG-04"
    case ggufHeaderCutShort = "GG-05"
    case ggufStringLength = "GG-06"
    case ggufKeyEmpty = "GG-07"
    case ggufKeyTwice = "GG-08"
    case ggufValueType = "GG-09"
    case ggufNestedArray = "GG-10"
    case ggufArrayLength = "GG-11"
    case ggufBool = "GG-12"
    case ggufAlignment = "GG-13"
    case ggufNotText = "GG-14"
    case ggufTensorName = "GG-15"
    case ggufDimensions = "GG-16"
    case ggufTensorTwice = "GG-17"
    case ggufTensorType = "GG-18"
    case ggufTensorSize = "GG-19"
    case ggufPartialBlock = "GG-20"
    case ggufOffset = "GG-21"
    case ggufDataCutShort = "GG-22"
    case ggufTrailingBytes = "GG-23"
    // Split GGUF, formats/gguf.md.
    case splitNotFirst = "SP-01"
    case splitKeys = "SP-02"
    case splitFileName = "SP-03"
    case splitMissing = "SP-04"
    case splitCount = "SP-05"
    case splitTensorCount = "SP-06"
    case splitTensorTwice = "SP-07"
    // Contents, formats/ggml-blocks.md.
    case notANumber = "CT-01"
    case infinite = "CT-02"
    case scaleNotFinite = "CT-03"
    case scaleInsane = "CT-04"
    case digestMismatch = "CT-05"
    case digestKeys = "CT-06"
    // Two models against each other.
    case comparedMissing = "CM-01"
    case comparedExtra = "CM-02"
    case comparedShape = "CM-03"
    case comparedError = "CM-04"

    /// What breaking a rule means.
    public enum Severity: String, Hashable, Sendable {
        /// The file cannot be used.
        case error
        /// The file can be opened, but something is wrong with it.
        case damage
        /// Odd, harmless.
        case note
    }

    public var severity: Severity {
        switch self {
        case .unknownEntryField, .totalSize, .ggufBool, .ggufNotText: .note
        case .ggufTrailingBytes, .tensorExtra, .shardUnlisted, .notANumber, .infinite, .scaleNotFinite, .scaleInsane,
            .digestMismatch, .digestKeys, .comparedMissing, .comparedExtra, .comparedShape, .comparedError:
            .damage
        default: .error
        }
    }
}
