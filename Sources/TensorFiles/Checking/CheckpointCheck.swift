internal import Dispatch
internal import Synchronization

/// Everything that can be said against a model's files: every rule of the format, shards against index, digests,
/// and numbers that cannot be weights.
public struct CheckpointCheck: Sendable {
    /// What could be opened; `nil` when no header could be read.
    public let checkpoint: Checkpoint?
    public let problems: [Problem]
    /// Problems beyond the first thousand, counted and not kept.
    public let omittedProblems: Int
    /// Tensors whose bytes were compared with a digest recorded when they were written.
    public let verifiedDigests: Int

    /// True when nothing was found but oddities.
    public var passed: Bool { problems.allSatisfy { $0.rule.severity == .note } }

    /// Checks the model at `path`; throws only when there is nothing there to check. Reads every byte unless
    /// `contents` is false. The result does not depend on the number of threads.
    public static func run(
        _ path: String, contents: Bool = true, threads: Int = 1, progress: ProgressHandler? = nil
    ) throws(TensorFileError) -> CheckpointCheck {
        var reader = CheckpointReader()
        let checkpoint = try reader.read(path)
        var list = reader.problems
        guard let checkpoint, contents else {
            return CheckpointCheck(
                checkpoint: checkpoint, problems: list.problems, omittedProblems: list.omitted, verifiedDigests: 0)
        }
        let digests = recordedDigests(checkpoint, broken: Set(list.problems.map(\.file)), &list)
        let findings = scan(checkpoint.tensors, digests, threads: threads, progress)
        for (finding, tensor) in zip(findings, checkpoint.tensors) {
            for problem in finding.problems(of: tensor) { list.add(problem) }
        }
        return CheckpointCheck(
            checkpoint: checkpoint, problems: list.problems, omittedProblems: list.omitted,
            verifiedDigests: digests.count { $0 != nil })
    }

    /// One digest for each tensor; rule CT-06.
    private static func recordedDigests(
        _ checkpoint: Checkpoint, broken: Set<String>, _ list: inout ProblemList
    ) -> [TensorDigest?] {
        var digests = [TensorDigest?](repeating: nil, count: checkpoint.tensors.count)
        for file in checkpoint.files {
            switch file.digests {
            case .absent: break
            case .present(let recorded):
                for (position, digest) in zip(file.tensors, recorded) { digests[position] = digest }
            case .unreadable(let reason):
                // In a file with broken tensors the count cannot agree.
                guard !broken.contains(file.file.path) else { break }
                let key =
                    checkpoint.format == .gguf ? OutputPlan.ggufDigestKey : OutputPlan.safetensorsDigestKey
                list.add(Problem(.digestKeys, file: file.file.path, tensor: key, "the digests \(reason)"))
            }
        }
        return digests
    }

    private struct Finding: Sendable {
        var scan: ContentScan
        var found: TensorDigest?
        var expected: TensorDigest?
        var failure: String?

        func problems(of tensor: Tensor) -> [Problem] {
            guard let source = tensor.source as? MappedSource else { return [] }
            let file = source.file.path
            let start = source.range.lowerBound
            var problems: [Problem] = []
            if let failure { problems.append(Problem(.digestMismatch, file: file, tensor: tensor.name, failure)) }
            let offset = scan.firstOffset.map { start + $0 }
            let isBlock = tensor.type.scales != nil
            func add(_ rule: Rule, _ count: Int, _ what: String) {
                guard count > 0 else { return }
                let total = isBlock ? tensor.elementCount / tensor.type.block.elements : tensor.elementCount
                problems.append(
                    Problem(
                        rule, file: file, tensor: tensor.name, offset: offset,
                        "\(count) of \(total) \(isBlock ? "blocks have a scale" : "elements") \(what)"))
            }
            add(isBlock ? .scaleNotFinite : .notANumber, scan.notANumber, "that is not a number")
            add(isBlock ? .scaleNotFinite : .infinite, scan.infinite, "that is infinite")
            add(.scaleInsane, scan.insane, "that takes elements beyond ±65504")
            if let found, let expected, found != expected {
                problems.append(
                    Problem(
                        .digestMismatch, file: file, tensor: tensor.name, offset: start,
                        "the bytes are not those that were written (xxh3-128 \(found), recorded \(expected)); "
                            + "the file is damaged, fetch or make it again"))
            }
            return problems
        }
    }

    private static func scan(
        _ tensors: [Tensor], _ digests: [TensorDigest?], threads: Int, _ progress: ProgressHandler?
    ) -> [Finding] {
        let total = tensors.reduce(0) { $0 + $1.byteCount }
        let findings = Mutex(zip(tensors, digests).map { Finding(scan: ContentScan($0.type), expected: $1) })
        let next = Atomic(0)
        let done = Atomic(0)
        DispatchQueue.concurrentPerform(iterations: max(1, min(threads, tensors.count))) { _ in
            while true {
                let index = next.wrappingAdd(1, ordering: .relaxed).oldValue
                guard index < tensors.count else { return }
                let finding = examine(tensors[index], expected: digests[index]) { count in
                    let sum = done.wrappingAdd(count, ordering: .relaxed).newValue
                    progress?(Progress(stage: "check", completed: sum, total: total, unit: .bytes))
                }
                findings.withLock { $0[index] = finding }
            }
        }
        return findings.withLock { $0 }
    }

    private static func examine(_ tensor: Tensor, expected: TensorDigest?, _ advance: (Int) -> Void) -> Finding {
        var finding = Finding(scan: ContentScan(tensor.type), expected: expected)
        var digester = TensorDigester()
        do {
            try tensor.forEachRun { _, bytes in
                finding.scan.scan(bytes)
                if expected != nil { digester.update(bytes) }
                advance(bytes.byteCount)
            }
        } catch {
            finding.failure = "cannot be read: \(error)"
        }
        if expected != nil { finding.found = digester.digest }
        return finding
    }
}
