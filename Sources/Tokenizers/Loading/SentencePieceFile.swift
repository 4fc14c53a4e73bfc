/// A SentencePiece model file (`tokenizer.model`): pieces, scores, and how text is prepared.
///
/// Fields and defaults: sentencepiece_model.proto of google/sentencepiece.
struct SentencePieceFile: Sendable {
    struct Piece: Sendable {
        var text: [UInt8] = []
        var score: Float = 0
        var kind = Kind.normal
    }

    enum Kind: Int, Sendable {
        case normal = 1
        case unknown, control, userDefined, unused, byte
    }

    enum Algorithm: Int, Sendable {
        case unigram = 1
        case bytePair, word, character
    }

    var file: String
    var pieces: [Piece] = []
    var algorithm = Algorithm.unigram
    var unknownId = 0
    var bosId = 1
    var eosId = 2
    var padId = -1
    var byteFallback = false
    var spaceAsSuffix = false
    var charactersMap: [UInt8] = []
    var addsDummyPrefix = true
    var removesExtraSpaces = true
    var escapesSpaces = true

    init(file: String) { self.file = file }

    init(parsing bytes: [UInt8], file: String) throws(TokenizerError) {
        self.file = file
        var reader = ProtocolBuffer(bytes, file: file)
        while let (number, value) = try reader.next() {
            guard let range = value.range else { continue }
            switch number {
            case 1: pieces.append(try Self.piece(ProtocolBuffer(bytes, range: range, file: file)))
            case 2: try readTrainer(ProtocolBuffer(bytes, range: range, file: file))
            case 3: try readNormalizer(ProtocolBuffer(bytes, range: range, file: file))
            default: break
            }
        }
        guard !pieces.isEmpty else {
            throw .badProtocolBuffer(file: file, offset: 0, reason: "no pieces")
        }
    }

    private static func piece(_ reader: ProtocolBuffer) throws(TokenizerError) -> Piece {
        var reader = reader
        var piece = Piece()
        while let (number, value) = try reader.next() {
            switch (number, value) {
            case (1, .bytes(let range)): piece.text = Array(reader.bytes[range])
            case (2, .fixed32(let bits)): piece.score = Float(bitPattern: bits)
            case (3, .varint):
                guard let kind = value.int.flatMap(Kind.init) else {
                    throw .unsupported(
                        file: reader.file, key: "pieces.type", found: "\(value.int ?? 0)", known: ["1 to 6"])
                }
                piece.kind = kind
            default: break
            }
        }
        return piece
    }

    private mutating func readTrainer(_ reader: ProtocolBuffer) throws(TokenizerError) {
        var reader = reader
        while let (number, value) = try reader.next() {
            guard let int = value.int else { continue }
            switch number {
            case 3:
                guard let found = Algorithm(rawValue: int), found == .unigram || found == .bytePair else {
                    throw .unsupported(
                        file: file, key: "trainer_spec.model_type", found: "\(int)",
                        known: ["1 (unigram)", "2 (byte pair)"])
                }
                algorithm = found
            case 24: spaceAsSuffix = int != 0
            case 35: byteFallback = int != 0
            case 40: unknownId = int
            case 41: bosId = int
            case 42: eosId = int
            case 43: padId = int
            default: break
            }
        }
    }

    private mutating func readNormalizer(_ reader: ProtocolBuffer) throws(TokenizerError) {
        var reader = reader
        while let (number, value) = try reader.next() {
            switch (number, value) {
            case (2, .bytes(let range)): charactersMap = Array(reader.bytes[range])
            case (3, .varint(let flag)): addsDummyPrefix = flag != 0
            case (4, .varint(let flag)): removesExtraSpaces = flag != 0
            case (5, .varint(let flag)): escapesSpaces = flag != 0
            default: break
            }
        }
    }
}
