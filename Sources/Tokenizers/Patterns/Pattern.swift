import CPCRE2

/// A regular expression compiled by PCRE2 to machine code, over UTF-8 with Unicode properties.
///
/// The only place in this room that touches unsafe memory: it lends PCRE2 an array's bytes for the length of a call.
@safe
final class Pattern: @unchecked Sendable {
    let source: String
    private let code: OpaquePointer
    private let context: OpaquePointer
    private let compiled: Bool

    /// `file` is named in the error.
    init(_ source: String, file: String) throws(TokenizerError) {
        var errorCode: Int32 = 0
        var errorOffset = 0
        let bytes = Array(source.utf8)
        let options = UInt32(PCRE2_UTF) | UInt32(PCRE2_UCP)
        let made = unsafe bytes.withUnsafeBufferPointer {
            unsafe pcre2_compile_8($0.baseAddress, bytes.count, options, &errorCode, &errorOffset, nil)
        }
        guard let made = unsafe made, let context = unsafe pcre2_match_context_create_8(nil) else {
            throw .badPattern(
                file: file, pattern: source, offset: errorOffset, reason: Self.reason(errorCode))
        }
        // A pattern that comes with a file must not be able to run for ever.
        unsafe pcre2_set_match_limit_8(context, 20_000_000)
        self.source = source
        unsafe code = made
        unsafe self.context = context
        compiled = unsafe pcre2_jit_compile_8(made, UInt32(PCRE2_JIT_COMPLETE)) == 0
    }

    deinit {
        unsafe pcre2_code_free_8(code)
        unsafe pcre2_match_context_free_8(context)
    }

    private static func reason(_ code: Int32) -> String {
        var buffer = [UInt8](repeating: 0, count: 256)
        let size = buffer.count
        let length = unsafe buffer.withUnsafeMutableBufferPointer {
            unsafe pcre2_get_error_message_8(code, $0.baseAddress, size)
        }
        guard length > 0 else { return "PCRE2 error \(code)" }
        return String(decoding: buffer.prefix(Int(length)), as: UTF8.self)
    }

    /// Calls `body` with every match in `text[range]`, from left to right, not overlapping.
    ///
    /// The expression sees nothing outside `range`. An empty match is reported unless it touches the match before
    /// it. `text` must be valid UTF-8 and `range` must begin and end between characters.
    func forEachMatch(
        in text: [UInt8], range: Range<Int>, _ body: (Range<Int>) throws(TokenizerError) -> Void
    ) throws(TokenizerError) {
        precondition(range.lowerBound >= 0 && range.upperBound <= text.count)
        let result = unsafe text.withUnsafeBufferPointer { buffer -> Result<Void, TokenizerError> in
            guard let base = buffer.baseAddress else { return .success(()) }
            do throws(TokenizerError) {
                try unsafe scan(base + range.lowerBound, count: range.count, offset: range.lowerBound, body)
                return .success(())
            } catch { return .failure(error) }
        }
        try result.get()
    }

    private func scan(
        _ subject: UnsafePointer<UInt8>, count: Int, offset: Int,
        _ body: (Range<Int>) throws(TokenizerError) -> Void
    ) throws(TokenizerError) {
        guard let data = unsafe pcre2_match_data_create_from_pattern_8(code, nil) else {
            throw .patternTooComplex(pattern: source, reason: "out of memory")
        }
        defer { unsafe pcre2_match_data_free_8(data) }
        let vector = unsafe pcre2_get_ovector_pointer_8(data)!
        let noCheck = UInt32(PCRE2_NO_UTF_CHECK)
        var position = 0
        var lastEnd = -1
        while position <= count {
            var status =
                compiled
                ? unsafe pcre2_jit_match_8(code, subject, count, position, noCheck, data, context)
                : unsafe pcre2_match_8(code, subject, count, position, noCheck, data, context)
            if status == PCRE2_ERROR_JIT_STACKLIMIT {
                // The interpreter keeps its backtracking on the heap.
                status = unsafe pcre2_match_8(
                    code, subject, count, position, noCheck | UInt32(PCRE2_NO_JIT), data, context)
            }
            if status == PCRE2_ERROR_NOMATCH { return }
            guard status >= 0 else { throw .patternTooComplex(pattern: source, reason: Self.reason(status)) }
            let (start, end) = unsafe (vector[0], vector[1])
            guard start <= end, end <= count else {
                throw .patternTooComplex(pattern: source, reason: "a match that ends before it starts")
            }
            position = end
            if start == end {
                // Step over one character, so that the search moves on.
                repeat { position += 1 } while unsafe position < count && subject[position] & 0xC0 == 0x80
                if end == lastEnd { continue }
            }
            lastEnd = end
            try body(offset + start..<offset + end)
        }
    }
}
