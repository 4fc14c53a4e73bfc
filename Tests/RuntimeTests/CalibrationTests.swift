import Foundation
import Kernels
import Quantization
import Runtime
import Synchronization
import TensorFiles
import TestSupport
import Testing

/// Importance, second moments and sensitivities of fixtures/stories260K.
@Suite struct CalibrationTests {
    private static func inFolder(_ body: (URL) throws -> Void) throws {
        let folder = try TestFiles.temporaryFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        try body(folder)
    }

    private static func calibration(threads: Int = 2) throws -> Calibration {
        let model = try LanguageModel(
            path: TestFiles.fixtures.appendingPathComponent("stories260K").path, precision: .float32,
            pool: WorkerPool(threads: threads))
        var calibration = Calibration(model, dataset: "ids")
        calibration.windowSize = 17
        calibration.wantsMoments = true
        return calibration
    }

    private static let tokens = (0..<96).map { 3 + $0 * $0 % 500 }

    /// Stopped after any window, a run goes on to the bytes of one that nobody stopped.
    @Test func aResumedCalibrationWritesTheSameBytes() throws {
        try Self.inFolder { folder in
            let straight = folder.appendingPathComponent("straight.gguf").path
            let states = Mutex<[String]>([])
            var calibration = try Self.calibration()
            calibration.saveInterval = .zero
            let result = try calibration.run(Self.tokens, to: straight) { progress in
                guard progress.stage == "calibrating" else { return }
                // What lies on the disk when a window is done is the state after the window before.
                let copy = folder.appendingPathComponent("state-\(progress.completed)").path
                if (try? FileManager.default.copyItem(atPath: straight + ".partial", toPath: copy)) != nil {
                    states.withLock { $0.append(copy) }
                }
            }
            #expect(result.tokens == 6 * 17 && result.momentCount == 5 * 4 + 1)
            let saved = states.withLock { $0 }
            #expect(saved.count == 5)
            for (index, state) in saved.enumerated() {
                let output = folder.appendingPathComponent("\(index).gguf").path
                try FileManager.default.moveItem(atPath: state, toPath: output + ".partial")
                var resumed = try Self.calibration(threads: 1)
                resumed.resumes = true
                let windows = Mutex(0)
                _ = try resumed.run(Self.tokens, to: output) { progress in
                    if progress.stage == "calibrating" { windows.withLock { $0 += 1 } }
                }
                #expect(windows.withLock { $0 } == 5 - index)
                for path in [{ $0 }, HessianStore.path(beside:)] as [(String) -> String] {
                    #expect(
                        FileManager.default.contentsEqual(atPath: path(output), andPath: path(straight)),
                        "resumed from state \(index)")
                }
                #expect(!FileManager.default.fileExists(atPath: output + ".partial"))
            }
        }
    }

    /// Every class gets a positive factor; the head of a tied model counts most, as its error meets no later layer.
    @Test func classesAreWeighed() throws {
        try Self.inFolder { folder in
            let output = folder.appendingPathComponent("importance.gguf").path
            let result = try Self.calibration().run(Self.tokens, to: output)
            let expected: Set<QuantizationSubject.Class> = [
                .embedding, .query, .key, .value, .attentionOutput, .gate, .up, .down,
            ]
            let measured = result.importance.sensitivities
            #expect(Set(measured.keys) == expected)
            #expect(measured.values.allSatisfy { $0 > 0 && $0.isFinite })
            #expect(measured.max { $0.value < $1.value }?.key == .embedding)
            let read = try ImportanceMatrix(path: output)
            #expect(read.sensitivities.mapValues { Float($0) } == measured.mapValues { Float($0) })
            #expect(read.entries == result.importance.entries)
            // The directions are those of the moments, in all of the matrices that read them.
            let feedback = try #require(try read.feedback(of: "blk.2.attn_v.weight", columns: 64))
            let errors = (0..<64).map { Float($0 % 7) - 3 }
            let told = feedback.error(of: [Float](repeating: 0, count: 64), against: errors)
            let store = try HessianStore(path: HessianStore.path(beside: output))
            let moments = try store.moments(of: "blk.2.attn_v.weight", columns: 64)
            let weights = read.weights(of: "blk.2.attn_v.weight")
            var total = 0.0
            for i in 0..<64 { for j in 0..<64 { total += Double(errors[i] * moments[i * 64 + j] * errors[j]) } }
            #expect(abs(told - total) < 0.05 * total)
            for column in 0..<64 {
                #expect(abs(moments[column * 65] - weights[column]) <= 1e-4 * weights[column])
            }
        }
    }
}
