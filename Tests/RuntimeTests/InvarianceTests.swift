import Kernels
import ModelGraph
import Runtime
import TensorFiles
import Testing

/// A row's logits are the same bits alone as among others: any batch, any place, any threads, any cut of the prefix.
@Suite struct InvarianceTests {
    static let length = 50
    static let passSizes = [1, 2, 3, 5, 8, 9, 16, 17, 33, 64, 100, 128]

    struct Setting: CustomTestStringConvertible {
        var type: ElementType
        var cache: KeyValueStore.Precision
        var precision = ActivationPrecision.int8

        var testDescription: String { "\(type.rawValue), cache \(cache.rawValue), \(precision.rawValue)" }
    }

    /// Every type with one cache each in turn, every cache with F32 and Q4_K, and the reference precision.
    static let settings: [Setting] = {
        let caches = KeyValueStore.Precision.allCases
        var list = TestModels.types.enumerated().map { Setting(type: $1, cache: caches[$0 % caches.count]) }
        list += caches.flatMap { cache in [ElementType.f32, .q4_K].map { Setting(type: $0, cache: cache) } }
        list += [.q4_0, .q6_K].map { Setting(type: $0, cache: .f16, precision: .float32) }
        return list
    }()

    /// What each token of `text` gives in passes of one row on one thread, and masks 1 … 4 hung on it alone.
    struct Reference {
        var logits: [[UInt32]] = []
        var maskLogits: [[[UInt32]]] = []

        init(_ text: [Int], sequence: TokenSequence) throws {
            for (index, token) in text.enumerated() {
                try sequence.forward([Row(.token(token), after: nil)])
                logits.append(try Reference.bits(sequence, [0])[0])
                sequence.keep([0])
                guard index % 9 == 0 else {
                    maskLogits.append([])
                    continue
                }
                // Masks alone: their block hangs on the kept token.
                try sequence.forward((0..<4).map { Row(.mask($0), after: $0 == 0 ? nil : $0 - 1) })
                maskLogits.append(try Reference.bits(sequence, [0, 1, 2, 3]))
            }
        }

        static func bits(_ sequence: TokenSequence, _ rows: [Int]) throws -> [[UInt32]] {
            let logits = try sequence.logits(of: rows)
            return rows.indices.map { row in
                logits.withRow(row) { span in span.indices.map { span[$0].bitPattern } }
            }
        }
    }

    /// Feeds `text` in random passes full of other rows, and compares.
    ///
    /// - Returns: rows compared.
    static func walk(
        _ text: [Int], _ reference: Reference, sequence: TokenSequence, chance: inout RandomStream
    ) throws -> Int {
        let vocabulary = sequence.model.configuration.vocabularySize
        var done = 0
        var compared = 0
        while done < text.count {
            let size = passSizes.randomElement(using: &chance)!
            let real = min(text.count - done, Int.random(in: 1...size, using: &chance))
            var rows: [Row] = []
            var realRows: [Int] = []
            var maskRows: [(row: Int, token: Int, mask: Int)] = []
            while realRows.count < real || rows.count < size {
                let wantsReal = realRows.count < real && (rows.count >= size || Bool.random(using: &chance))
                if wantsReal {
                    realRows.append(rows.count)
                    rows.append(Row(.token(text[done + realRows.count - 1]), after: realRows.dropLast().last))
                    let token = done + realRows.count - 1
                    if !reference.maskLogits[token].isEmpty, Bool.random(using: &chance) {
                        for mask in 0..<4 {
                            let parent = mask == 0 ? realRows[realRows.count - 1] : rows.count - 1
                            maskRows.append((rows.count, token, mask))
                            rows.append(Row(.mask(mask), after: parent))
                        }
                    }
                } else if realRows.count < real || rows.count < size {
                    // Anything else, hung anywhere: a token on a token, a mask on either.
                    let parents = rows.indices.filter { !rows[$0].isMask }
                    if Int.random(in: 0..<4, using: &chance) == 0,
                        let parent = rows.indices.randomElement(using: &chance)
                    {
                        rows.append(Row(.mask(Int.random(in: 0..<4, using: &chance)), after: parent))
                    } else {
                        let parent = Bool.random(using: &chance) ? parents.randomElement(using: &chance) : nil
                        rows.append(Row(.token(Int.random(in: 0..<vocabulary, using: &chance)), after: parent))
                    }
                    if rows.count > 4 * size { break }
                }
            }
            // Once in a while the real rows come without any company, as a prompt does.
            if Int.random(in: 0..<4, using: &chance) == 0 {
                rows = Row.chain(text[done..<done + real])
                realRows = Array(rows.indices)
                maskRows = []
            }
            try sequence.forward(rows)
            let found = try Reference.bits(sequence, realRows + maskRows.map(\.row))
            for (index, _) in realRows.enumerated() {
                #expect(
                    found[index] == reference.logits[done + index], "token \(done + index) of a pass of \(rows.count)"
                )
            }
            for (index, mask) in maskRows.enumerated() {
                #expect(
                    found[realRows.count + index] == reference.maskLogits[mask.token][mask.mask],
                    "mask \(mask.mask) after token \(mask.token) in a pass of \(rows.count)")
            }
            compared += realRows.count + maskRows.count
            sequence.keep(realRows)
            done += realRows.count
        }
        return compared
    }

    @Test("any batch, place, threads and cut give the same bits", arguments: settings)
    func invariance(setting: Setting) throws {
        let graph = try TestModels.graph(type: setting.type)
        var chance = RandomStream(seed: 42)
        let text = (0..<Self.length).map { _ in Int.random(in: 0..<320, using: &chance) }
        var reference: Reference?
        var compared = 0
        for threads in [1, 2, 3] {
            let pool = try WorkerPool(threads: threads)
            let model = try Transformer(graph, precision: setting.precision, pool: pool)
            let masks = try RandomAdaptation(graph.configuration, pool: pool)
            func sequence() throws -> TokenSequence {
                try TokenSequence(model, capacity: 128, precision: setting.cache, adaptation: masks)
            }
            let alone = try reference ?? Reference(text, sequence: sequence())
            reference = alone
            for _ in 0..<3 {
                compared += try Self.walk(text, alone, sequence: sequence(), chance: &chance)
            }
            // Chosen tokens get the bits that they have among all.
            let some = try sequence()
            try some.append(text, chunk: 13)
            let all = try Reference.bits(some, [some.lastRow!])[0]
            let chosen: [UInt32] = [3, 319, 0, 77, 78, 200]
            let subset = try some.logits(of: [some.lastRow!], tokens: chosen)
            #expect(subset.buffer.array(0..<chosen.count).map(\.bitPattern) == chosen.map { all[Int($0)] })
            #expect(all == alone.logits[Self.length - 1])
        }
        #expect(compared >= 3 * 3 * Self.length)
        print("invariance \(setting.testDescription): \(compared) rows compared")
    }
}
