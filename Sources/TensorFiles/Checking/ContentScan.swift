/// Counts what should not be in weights: numbers that are not numbers, infinities, senseless block scales.
///
/// The unit is an element, or a block for types with scales. Integers and 4- and 6-bit floats have none of these.
public struct ContentScan: Hashable, Sendable {
    /// No weight of a model is further from zero than a half-precision number can be.
    public static let sanityLimit: Float = 65504

    public var notANumber = 0
    public var infinite = 0
    public var insane = 0
    /// The first of them: byte offset from the start of what was scanned.
    public var firstOffset: Int?
    private var scanned = 0
    private let type: ElementType

    public init(_ type: ElementType) { self.type = type }

    public var isClean: Bool { firstOffset == nil }

    /// Scans the next bytes, whole blocks of the type.
    public mutating func scan(_ bytes: RawSpan) {
        switch type {
        case .f16: scan(bytes, FloatLayout(bits: 16, exponent: 0x7C00, step: 0x0400))
        case .bf16: scan(bytes, FloatLayout(bits: 16, exponent: 0x7F80, step: 0x0080))
        case .f32, .c64: scan(bytes, FloatLayout(bits: 32, exponent: 0x7F80_0000, step: 0x0080_0000))
        case .f64: scan(bytes, FloatLayout(bits: 64, exponent: 0x7FF0_0000_0000_0000, step: 0x0010_0000_0000_0000))
        case .f8E4M3: scan(bytes) { $0 & 0x7F == 0x7F ? .notANumber : .fine }
        case .f8E5M2:
            scan(bytes) { $0 & 0x7C != 0x7C ? .fine : $0 & 3 == 0 ? .infinite : .notANumber }
        case .f8E8M0: scan(bytes) { $0 == 0xFF ? .notANumber : .fine }
        case .f8E4M3FNUZ, .f8E5M2FNUZ: scan(bytes) { $0 == 0x80 ? .notANumber : .fine }
        default: if let scales = type.scales { scan(bytes, scales) }
        }
        scanned += bytes.byteCount
    }

    private enum Finding { case fine, notANumber, infinite, insane }

    private mutating func note(_ finding: Finding, at offset: Int) {
        switch finding {
        case .fine: return
        case .notANumber: notANumber += 1
        case .infinite: infinite += 1
        case .insane: insane += 1
        }
        if firstOffset == nil { firstOffset = scanned + offset }
    }

    /// A float's width, its exponent's bits, and the lowest of those; an exponent of all ones is no number.
    private struct FloatLayout {
        let bits: Int
        let exponent: UInt64
        let step: UInt64

        /// A number in every lane of a 64-bit word.
        func repeated(_ value: UInt64) -> UInt64 {
            switch bits {
            case 16: value &* 0x0001_0001_0001_0001
            case 32: value &* 0x0000_0001_0000_0001
            default: value
            }
        }
    }

    /// Eight bytes at once: adding the lowest exponent bit carries into the sign bit of a lane exactly when its
    /// exponent is all ones.
    private mutating func scan(_ bytes: RawSpan, _ layout: FloatLayout) {
        let exponent = layout.repeated(layout.exponent)
        let step = layout.repeated(layout.step)
        let sign = layout.repeated(1 << UInt64(layout.bits - 1))
        let words = bytes.byteCount / 8
        var word = 0
        while word < words {
            // Sixty-four bytes without a branch, then a look at what they gave together.
            let end = min(words, word + 8)
            var found: UInt64 = 0
            for index in word..<end {
                found |= ((bytes.loadLittleEndian(index * 8, as: UInt64.self) & exponent) &+ step) & sign
            }
            if found != 0 { scanElements(bytes, word * 8..<end * 8, layout) }
            word = end
        }
        scanElements(bytes, words * 8..<bytes.byteCount, layout)
    }

    private mutating func scanElements(_ bytes: RawSpan, _ range: Range<Int>, _ layout: FloatLayout) {
        for offset in stride(from: range.lowerBound, to: range.upperBound, by: layout.bits / 8) {
            let value: UInt64 =
                switch layout.bits {
                case 16: UInt64(bytes.loadLittleEndian(offset, as: UInt16.self))
                case 32: UInt64(bytes.loadLittleEndian(offset, as: UInt32.self))
                default: bytes.loadLittleEndian(offset, as: UInt64.self)
                }
            guard value & layout.exponent == layout.exponent else { continue }
            note(value & (layout.step - 1) == 0 ? .infinite : .notANumber, at: offset)
        }
    }

    private mutating func scan(_ bytes: RawSpan, _ classify: (UInt8) -> Finding) {
        for offset in 0..<bytes.byteCount {
            let finding = classify(bytes.loadLittleEndian(offset, as: UInt8.self))
            if finding != .fine { note(finding, at: offset) }
        }
    }

    private mutating func scan(_ bytes: RawSpan, _ scales: BlockScales) {
        for offset in stride(from: 0, to: bytes.byteCount, by: type.block.bytes) {
            let finding = Self.finding(bytes, block: offset, scales)
            if finding != .fine { note(finding, at: offset) }
        }
    }

    /// The worst that the scales of one block say.
    private static func finding(_ bytes: RawSpan, block: Int, _ scales: BlockScales) -> Finding {
        switch scales.field {
        case .half(let offsets):
            for offset in offsets {
                let bits: UInt16 = bytes.loadLittleEndian(block + offset)
                let finding = judge(Float(Float16(bitPattern: bits)), reach: scales.reach)
                if finding != .fine { return finding }
            }
            return .fine
        case .single(let offset):
            return judge(Float(bitPattern: bytes.loadLittleEndian(block + offset)), reach: scales.reach)
        case .exponent(let offset):
            let exponent: UInt8 = bytes.loadLittleEndian(block + offset)
            guard exponent != 0xFF else { return .notANumber }
            return judge(Float(sign: .plus, exponent: Int(exponent) - 127, significand: 1), reach: scales.reach)
        case .unsignedE4M3(let range):
            for offset in range where bytes.loadLittleEndian(block + offset, as: UInt8.self) & 0x7F == 0x7F {
                return .notANumber
            }
            return .fine
        case .spreadHalf(let offset):
            var bits: UInt16 = 0
            for word in 0..<4 {
                let high = bytes.loadLittleEndian(block + offset + 2 * word, as: UInt16.self) >> 12
                bits |= high << UInt16(4 * word)
            }
            return judge(Float(Float16(bitPattern: bits)), reach: scales.reach)
        }
    }

    private static func judge(_ scale: Float, reach: Float) -> Finding {
        if scale.isNaN { return .notANumber }
        if scale.isInfinite { return .infinite }
        return abs(scale) * reach > sanityLimit ? .insane : .fine
    }
}
