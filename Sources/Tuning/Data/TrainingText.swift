import Runtime

/// A run of token ids to learn from; masks go after the tokens from `firstAnchor` on (a prompt's last token, or 0).
public struct TrainingSequence: Hashable, Sendable {
    public var tokens: [Int32]
    public var firstAnchor: Int

    public init(tokens: [Int32], firstAnchor: Int = 0) {
        self.tokens = tokens
        self.firstAnchor = firstAnchor
    }

    /// How many tokens can carry at least one mask that has something to predict.
    var anchorCount: Int { max(0, tokens.count - 2 - firstAnchor) }
}

/// What a graft learns from, and the slice of it that it never sees.
public struct TrainingText: Sendable {
    public let training: [TrainingSequence]
    public let heldOut: [TrainingSequence]
    /// The sum of `anchorCount` over the sequences up to and including each.
    private let cumulative: [Int]

    /// - Parameters:
    ///   - sequences: documents, or prompts with their answers.
    ///   - window: tokens of a training sequence; longer ones are cut.
    ///   - heldOut: how many windows to set aside: whole sequences when there are many, else the ends of long ones.
    ///   - measuring: what to measure on instead; nothing is then set aside.
    public init(
        _ sequences: [TrainingSequence], window: Int, heldOut: Int, seed: UInt64,
        measuring: [TrainingSequence] = []
    ) throws {
        let count = measuring.isEmpty ? heldOut : 0
        var usable = sequences.filter { $0.anchorCount > 0 }
        guard !usable.isEmpty else {
            throw TuningError.textTooShort(
                longest: sequences.map(\.tokens.count).max() ?? 0, sequences: sequences.count)
        }
        let total = usable.reduce(0) { $0 + $1.tokens.count }
        guard total >= window else { throw TuningError.textShorterThanWindow(tokens: total, window: window) }
        var held: [TrainingSequence] = []
        if usable.count >= 4 * count {
            var stream = RandomStream(seed: seed ^ 0x4845_4C44)
            for _ in 0..<count {
                held.append(usable.remove(at: Int(stream.next() % UInt64(usable.count))))
            }
        } else {
            for index in usable.indices where held.count < count {
                let sequence = usable[index]
                // At most a tenth of a document, and only where whole windows remain.
                let windows = min(count - held.count, sequence.tokens.count / (10 * window))
                for _ in 0..<windows {
                    let cut = usable[index].tokens.count - window
                    held.append(
                        TrainingSequence(
                            tokens: Array(usable[index].tokens[cut...]),
                            firstAnchor: max(0, sequence.firstAnchor - cut)))
                    usable[index].tokens.removeLast(window)
                }
            }
        }
        training = usable.filter { $0.anchorCount > 0 }
        self.heldOut = (held + measuring).map { Self.prefix($0, window) }.filter { $0.anchorCount > 0 }
        var sum = 0
        cumulative = training.map {
            sum += $0.anchorCount
            return sum
        }
    }

    private static func prefix(_ sequence: TrainingSequence, _ window: Int) -> TrainingSequence {
        guard sequence.tokens.count > window else { return sequence }
        // Keep the end of the prompt in the window.
        let start = max(0, min(sequence.firstAnchor + 1 - window / 4, sequence.tokens.count - window))
        return TrainingSequence(
            tokens: Array(sequence.tokens[start..<start + window]),
            firstAnchor: max(0, sequence.firstAnchor - start))
    }

    /// Tokens that can carry masks, over all training sequences.
    public var anchorCount: Int { cumulative.last ?? 0 }

    /// A window of at most `window` tokens around an anchor drawn uniformly, with masks at `positions` anchors of it
    /// drawn without replacement.
    func draw(
        _ stream: inout RandomStream, window: Int, positions: Int, masks: Int
    ) -> MixedSequence {
        let place = Int(stream.next() % UInt64(anchorCount))
        var low = 0
        var high = cumulative.count - 1
        while low < high {
            let middle = (low + high) / 2
            if cumulative[middle] > place { high = middle } else { low = middle + 1 }
        }
        let sequence = training[low]
        let anchor = sequence.firstAnchor + place - (cumulative[low] - sequence.anchorCount)
        var start = 0
        if sequence.tokens.count > window {
            let before = Int(stream.next() % UInt64(window))
            start = max(0, min(anchor - before, sequence.tokens.count - window))
        }
        let end = min(sequence.tokens.count, start + window)
        var anchors = Array(max(0, sequence.firstAnchor - start)..<end - start - 2)
        if anchors.count > positions {
            for index in 0..<positions {
                anchors.swapAt(index, index + Int(stream.next() % UInt64(anchors.count - index)))
            }
            anchors = anchors[..<positions].sorted()
        }
        return MixedSequence(tokens: Array(sequence.tokens[start..<end]), anchors: anchors, masks: masks)
    }
}
