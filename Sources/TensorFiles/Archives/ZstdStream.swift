internal import CZstd

/// Zstandard, piece by piece: what goes in and what comes out are spans and arrays.
@safe struct ZstdDecoder: ~Copyable {
    struct Failure: Error { var reason: String }

    private let context: OpaquePointer
    private var buffer = [UInt8](repeating: 0, count: 1 << 20)

    init() {
        guard let context = unsafe ZSTD_createDCtx() else { preconditionFailure("out of memory") }
        unsafe self.context = context
        // A window of 128 MiB is what zstd itself accepts without being told otherwise.
        unsafe ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax, 27)
    }

    deinit { unsafe ZSTD_freeDCtx(context) }

    /// Decodes `bytes`, handing what comes out to `body`; returns whether a frame ended with the last byte.
    mutating func decode(_ bytes: RawSpan, _ body: (RawSpan) throws -> Void) throws -> Bool {
        var consumed = 0
        var isComplete = false
        while true {
            let (result, taken, produced) = unsafe bytes.withUnsafeBytes { source in
                unsafe buffer.withUnsafeMutableBytes { target in
                    var input = unsafe ZSTD_inBuffer(src: source.baseAddress, size: source.count, pos: consumed)
                    var output = unsafe ZSTD_outBuffer(dst: target.baseAddress, size: target.count, pos: 0)
                    let result = unsafe ZSTD_decompressStream(context, &output, &input)
                    return unsafe (result, input.pos, output.pos)
                }
            }
            guard ZSTD_isError(result) == 0 else {
                throw Failure(reason: unsafe String(cString: ZSTD_getErrorName(result)))
            }
            consumed = taken
            isComplete = result == 0
            if produced > 0 { try unsafe body(buffer.span.bytes.extracting(0..<produced)) }
            if consumed == bytes.byteCount, produced < buffer.count { return isComplete }
        }
    }

    /// What the first frame's header says the content's size is; `nil` when it does not say.
    static func contentSize(_ bytes: RawSpan) -> UInt64? {
        let size = unsafe bytes.withUnsafeBytes { unsafe ZSTD_getFrameContentSize($0.baseAddress, min($0.count, 64)) }
        // The two largest numbers stand for "unknown" and "not a frame".
        return size >= UInt64.max - 1 ? nil : size
    }
}

@safe struct ZstdEncoder: ~Copyable {
    private let context: OpaquePointer
    private var buffer = [UInt8](repeating: 0, count: 1 << 20)

    /// `byteCount` is the size of everything that will come; it stands in the frame's header.
    init(level: Int, threads: Int, byteCount: Int) {
        guard let context = unsafe ZSTD_createCCtx() else { preconditionFailure("out of memory") }
        unsafe self.context = context
        unsafe ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, Int32(clamping: level))
        unsafe ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1)
        // One worker and many give the same bytes; none gives others.
        unsafe ZSTD_CCtx_setParameter(context, ZSTD_c_nbWorkers, Int32(clamping: max(1, threads)))
        unsafe ZSTD_CCtx_setPledgedSrcSize(context, UInt64(byteCount))
    }

    deinit { unsafe ZSTD_freeCCtx(context) }

    /// Encodes the next bytes; with `isLast`, ends the frame.
    mutating func encode(_ bytes: RawSpan, isLast: Bool, _ body: (RawSpan) throws(TensorFileError) -> Void)
        throws(TensorFileError)
    {
        var consumed = 0
        while true {
            let (rest, taken, produced) = unsafe bytes.withUnsafeBytes { source in
                unsafe buffer.withUnsafeMutableBytes { target in
                    var input = unsafe ZSTD_inBuffer(src: source.baseAddress, size: source.count, pos: consumed)
                    var output = unsafe ZSTD_outBuffer(dst: target.baseAddress, size: target.count, pos: 0)
                    let mode = isLast ? ZSTD_e_end : ZSTD_e_continue
                    let rest = unsafe ZSTD_compressStream2(context, &output, &input, mode)
                    return unsafe (rest, input.pos, output.pos)
                }
            }
            precondition(ZSTD_isError(rest) == 0, "zstd refuses its own parameters")
            consumed = taken
            if produced > 0 { try unsafe body(buffer.span.bytes.extracting(0..<produced)) }
            if consumed == bytes.byteCount, !isLast || rest == 0 { return }
        }
    }
}
