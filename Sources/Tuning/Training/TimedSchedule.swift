/// How many steps fit into the time given. Estimated anew after each step, so that the rate has decayed when time is
/// over even where the machine gets slower or faster on the way.
package struct TimedSchedule {
    /// In seconds of work, as `TuningLog` counts them.
    package let deadline: Double
    /// Steps from one measurement on the held-out slice to the next, which takes `measuring` seconds.
    package let measureEvery: Int
    package var measuring = 0.0
    private var perStep = 0.0
    private var count = 0
    /// Over how many steps the estimate of a step's time looks back.
    private static let memory = 30

    package init(deadline: Double, measureEvery: Int) {
        self.deadline = deadline
        self.measureEvery = measureEvery
    }

    package mutating func addStep(seconds: Double) {
        count += 1
        perStep += (seconds - perStep) / Double(min(count, Self.memory))
    }

    /// The step after which to end; the last measurement has its time, too.
    package func steps(done: Int, at seconds: Double) -> Int {
        let cost = perStep + measuring / Double(measureEvery)
        let left = deadline - seconds - measuring
        guard left > 0, cost > 0 else { return done }
        return done + Int(min(left / cost, 1e9))
    }
}
