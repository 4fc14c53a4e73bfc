import CKernels
import TensorFiles

/// Encodes rows in groups. A row's result depends on that row alone, and never on the instruction set.
public enum GroupCodec {
    /// Encodes whole rows of finite floats.
    ///
    /// - Parameters:
    ///   - method: `nearest` is the rule of the format's own library, bit for bit: MLX's for `affine`, GPTQ's for
    ///     `zeroPoint`, compressed-tensors' for `symmetric`.
    ///   - values: rows × `rowLength` floats.
    ///   - importance: `rowLength` weights of the columns' squared errors; empty when all count alike.
    ///   - feedback: when scales are searched, weighs the columns instead and chooses the codes anew, against what it
    ///     knows of the inputs.
    public static func encode(
        _ format: GroupFormat, _ method: BlockCodec.Method, _ values: [Float], rowLength: Int,
        importance: [Float] = [], feedback: ErrorFeedback? = nil
    ) throws(KernelError) -> EncodedGroups {
        precondition(importance.isEmpty || importance.count == rowLength, "one weight for each column")
        var result = try room(format, values, rowLength)
        let weights = BlockCodec.normalised(feedback?.weights ?? importance)
        var number = format.number(columns: rowLength)
        let rows = values.count / rowLength
        let done = unsafe result.codes.withUnsafeMutableBufferPointer { codes in
            unsafe result.scales.withUnsafeMutableBufferPointer { scales in
                unsafe result.offsets.withUnsafeMutableBufferPointer { offsets in
                    unsafe values.withUnsafeBufferPointer { source in
                        unsafe weights.withUnsafeBufferPointer { weights in
                            unsafe ft_encode_groups(
                                &number, method.number, source.baseAddress,
                                weights.isEmpty ? nil : weights.baseAddress, rows, rowLength, codes.baseAddress,
                                scales.baseAddress, offsets.baseAddress)
                        }
                    }
                }
            }
        }
        guard done else { throw .outOfMemory(bytes: 100 * (format.groupSize ?? rowLength)) }
        if let feedback, method == .search { try feedback.choose(&result, in: format, for: values) }
        return result
    }

    /// The values that rows stand for.
    public static func decode(_ format: GroupFormat, _ groups: EncodedGroups, rowLength: Int) -> [Float] {
        let across = format.groups(inRowOf: rowLength) ?? 1
        let rows = groups.scales.count / across
        precondition(
            groups.scales.count == rows * across && groups.offsets.count == groups.scales.count
                && groups.codes.count == rows * format.codeBytes(inRowOf: rowLength), "whole rows")
        var number = format.number(columns: rowLength)
        return unsafe [Float](unsafeUninitializedCapacity: rows * rowLength) { target, count in
            unsafe groups.codes.withUnsafeBufferPointer { codes in
                unsafe groups.scales.withUnsafeBufferPointer { scales in
                    unsafe groups.offsets.withUnsafeBufferPointer { offsets in
                        unsafe ft_decode_groups(
                            &number, codes.baseAddress, scales.baseAddress, offsets.baseAddress, rows, rowLength,
                            target.baseAddress)
                    }
                }
            }
            count = rows * rowLength
        }
    }

    private static func room(
        _ format: GroupFormat, _ values: [Float], _ rowLength: Int
    ) throws(KernelError) -> EncodedGroups {
        guard rowLength > 0, values.count % rowLength == 0, let across = format.groups(inRowOf: rowLength) else {
            throw .partialGroups(rowLength: rowLength, groupSize: format.groupSize ?? rowLength)
        }
        let rows = values.count / rowLength
        return EncodedGroups(
            codes: [UInt8](repeating: 0, count: rows * format.codeBytes(inRowOf: rowLength)),
            scales: [Float](repeating: 0, count: rows * across), offsets: [Float](repeating: 0, count: rows * across))
    }
}
