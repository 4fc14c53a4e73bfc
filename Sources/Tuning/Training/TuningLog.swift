public import Foundation

/// What happened in a run, for the CSV, the JSON and the curves (formats/tuning-log.md).
public struct TuningLog: Codable, Sendable {
    public static let currentVersion = 1

    /// Averages over the steps since the entry before.
    public struct Entry: Codable, Sendable {
        /// Steps done.
        public var step: Int
        /// Seconds of work since the run began, all resumptions together.
        public var seconds: Double
        public var losses: Losses
        public var total: Double
        public var rate: Double
        public var gradientNorm: Double
        public var rowsPerSecond: Double
        public var multiplyAddsPerSecond: Double

        public init(
            step: Int, seconds: Double, losses: Losses, total: Double, rate: Double, gradientNorm: Double,
            rowsPerSecond: Double, multiplyAddsPerSecond: Double
        ) {
            self.step = step
            self.seconds = seconds
            self.losses = losses
            self.total = total
            self.rate = rate
            self.gradientNorm = gradientNorm
            self.rowsPerSecond = rowsPerSecond
            self.multiplyAddsPerSecond = multiplyAddsPerSecond
        }
    }

    /// A measurement on the held-out slice.
    public struct Measurement: Codable, Sendable {
        public var step: Int
        public var seconds: Double
        public var losses: Losses
        public var acceptance: Acceptance

        public init(step: Int, seconds: Double, losses: Losses, acceptance: Acceptance) {
            self.step = step
            self.seconds = seconds
            self.losses = losses
            self.acceptance = acceptance
        }
    }

    public var version = TuningLog.currentVersion
    public var model: String
    public var masks: Int
    public var rank: Int
    public var parameters: Int
    public var options: TuningOptions
    public var threads: Int
    /// Multiply-adds per second of a large single-precision matrix product on one thread, measured before training,
    /// times the number of threads.
    public var machineMultiplyAddsPerSecond: Double?
    public var entries: [Entry] = []
    public var measurements: [Measurement] = []

    public init(
        model: String, masks: Int, rank: Int, parameters: Int, options: TuningOptions, threads: Int,
        machineMultiplyAddsPerSecond: Double?
    ) {
        self.model = model
        self.masks = masks
        self.rank = rank
        self.parameters = parameters
        self.options = options
        self.threads = threads
        self.machineMultiplyAddsPerSecond = machineMultiplyAddsPerSecond
    }

    /// One line for each entry; columns as formats/tuning-log.md lists them.
    public var csv: String {
        var text =
            "step,seconds,base,sampler,latent,total,rate,gradientNorm,rowsPerSecond,multiplyAddsPerSecond\n"
        for entry in entries {
            let values: [Double] = [
                entry.seconds, entry.losses.base, entry.losses.sampler, entry.losses.latent, entry.total, entry.rate,
                entry.gradientNorm, entry.rowsPerSecond, entry.multiplyAddsPerSecond,
            ]
            text += "\(entry.step)," + values.map { "\($0)" }.joined(separator: ",") + "\n"
        }
        return text
    }

    public var json: Data {
        get throws {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
            return try encoder.encode(self)
        }
    }
}
