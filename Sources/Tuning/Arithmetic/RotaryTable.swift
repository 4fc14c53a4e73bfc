import Foundation

/// Cosines and sines of a rotary embedding's angles, a row for each position, times its magnitude.
struct RotaryTable {
    let pairs: Int
    let cosine: Matrix
    let sine: Matrix

    init(frequencies: [Float], magnitude: Float, positions: Int) {
        pairs = frequencies.count
        cosine = Matrix(positions, pairs)
        sine = Matrix(positions, pairs)
        for position in 0..<positions {
            for (pair, frequency) in frequencies.enumerated() {
                // The reference multiplies in 32 bits, then takes sine and cosine.
                let angle = Float(position) * frequency
                cosine[position, pair] = cos(angle) * magnitude
                sine[position, pair] = sin(angle) * magnitude
            }
        }
    }
}
