import Runtime

/// The most that the process held at once while something ran: bytes resident, as the system counts them.
enum PeakMemory {
    /// - Returns: the body's result, and `nil` bytes where the system does not let its own mark be reset.
    static func around<Result>(_ body: () throws -> Result) rethrows -> (Result, Int?) {
        let isMeasured = MachineMemory.resetPeak()
        let result = try body()
        return (result, isMeasured ? MachineMemory.peak : nil)
    }
}
