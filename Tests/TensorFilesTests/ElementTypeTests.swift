import TensorFiles
import Testing

@Suite struct ElementTypeTests {
    @Test func ggmlIdentifiersRoundTrip() {
        for type in ElementType.allCases {
            guard let identifier = type.ggmlIdentifier else { continue }
            #expect(ElementType(ggmlIdentifier: identifier) == type)
        }
        for removed: UInt32 in [4, 5, 31, 32, 33, 36, 37, 38, 43] {
            #expect(ElementType(ggmlIdentifier: removed) == nil)
        }
    }

    @Test func byteCountsRefusePartialBlocksAndOverflow() {
        #expect(ElementType.q4_K.byteCount(elements: 512) == 288)
        #expect(ElementType.q4_K.byteCount(elements: 255) == nil)
        #expect(ElementType.f64.byteCount(elements: .max) == nil)
        #expect(ElementType.f4.byteCount(elements: 3) == nil)
    }
}
