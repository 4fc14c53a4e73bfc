internal import CSystem
import Glibc

/// The bytes of a file, mapped: opening costs no memory, pages come when they are read.
///
/// Bytes that never were a file (an unpacked archive, metadata about to be written, a test) are held the same way,
/// so that every reader takes one kind of input. The file must not be cut short by another program while it is
/// mapped: the operating system answers a read past the new end with a signal, not with an error.
@safe public final class MappedFile: @unchecked Sendable {
    private static let pageSize = max(4096, Int(sysconf(Int32(_SC_PAGESIZE))))

    /// As messages name it.
    public let path: String
    public let byteCount: Int
    private let base: UnsafeRawPointer?
    /// False for bytes held in memory, whose pages cannot be read again once released.
    private let isFile: Bool
    /// The file that this one is a part of, and where; it owns the memory.
    private let whole: (file: MappedFile, start: Int)?

    /// Opens a regular file for reading; symbolic links are followed.
    public convenience init(path: String) throws(TensorFileError) {
        let descriptor = unsafe Glibc.open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw .cannotRead(file: path, reason: SystemReason.last) }
        defer { close(descriptor) }
        try self.init(descriptor: descriptor, path: path)
    }

    /// Maps the file behind a descriptor, which may be closed afterwards.
    init(descriptor: Int32, path: String) throws(TensorFileError) {
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else {
            throw .cannotRead(file: path, reason: SystemReason.last)
        }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw .cannotRead(file: path, reason: "it is not a regular file")
        }
        let size = Int(status.st_size)
        var mapped: UnsafeRawPointer?
        if size > 0 {
            let address = unsafe mmap(nil, size, PROT_READ, MAP_SHARED, descriptor, 0)
            guard let address = unsafe address, unsafe address != MAP_FAILED else {
                throw .cannotRead(file: path, reason: SystemReason.last)
            }
            unsafe mapped = UnsafeRawPointer(address)
        }
        self.path = path
        byteCount = size
        unsafe base = mapped
        isFile = true
        whole = nil
    }

    /// Holds a copy of `bytes`; `name` stands in messages where a path would.
    public init(bytes: [UInt8], name: String) {
        path = name
        byteCount = bytes.count
        isFile = false
        whole = nil
        guard !bytes.isEmpty else {
            unsafe base = nil
            return
        }
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 64)
        unsafe memory.copyBytes(from: bytes)
        unsafe base = UnsafeRawPointer(memory.baseAddress)
    }

    /// A range of another file as a file of its own, such as one that lies inside an archive. Nothing is copied.
    public init(part range: Range<Int>, of file: MappedFile) {
        precondition(range.lowerBound >= 0 && range.upperBound <= file.byteCount, "range outside the file")
        path = file.path
        byteCount = range.count
        unsafe base = file.base.map { unsafe $0 + range.lowerBound }
        isFile = file.isFile
        whole = (file, range.lowerBound)
    }

    deinit {
        guard whole == nil, let base = unsafe base else { return }
        let memory = unsafe UnsafeMutableRawPointer(mutating: base)
        if isFile { unsafe munmap(memory, byteCount) } else { unsafe memory.deallocate() }
    }

    /// The last component of the path.
    public var name: String { String(path[(path.lastIndex(of: "/").map(path.index(after:)) ?? path.startIndex)...]) }

    /// Calls `body` with all bytes.
    public func withBytes<Result, Failure: Error>(
        _ body: (RawSpan) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let span = unsafe RawSpan(_unsafeBytes: UnsafeRawBufferPointer(start: base, count: byteCount))
        return try body(span)
    }

    /// Calls `body` with the bytes of `range`, which must lie inside the file.
    public func withBytes<Result, Failure: Error>(
        _ range: Range<Int>, _ body: (RawSpan) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let span = unsafe RawSpan(_unsafeBytes: UnsafeRawBufferPointer(start: base, count: byteCount))
        return try body(span.extracting(range))
    }

    /// Gives back the memory of the pages that end inside `range`; reading them again is correct, only slower.
    public func release(_ range: Range<Int>) {
        precondition(range.lowerBound >= 0 && range.upperBound <= byteCount, "range outside the file")
        if let (file, start) = whole {
            return file.release(start + range.lowerBound..<start + range.upperBound)
        }
        guard isFile, let base = unsafe base else { return }
        let page = Self.pageSize
        // The mapping's last page ends with the file; the rest of it belongs to nobody.
        let last = range.upperBound == byteCount ? byteCount : range.upperBound / page * page
        let first = range.lowerBound / page * page
        guard first < last else { return }
        unsafe madvise(UnsafeMutableRawPointer(mutating: base) + first, last - first, MADV_DONTNEED)
    }

    /// Brings the pages of `range`, which is about to be read, into memory with one call instead of a fault for each.
    public func populate(_ range: Range<Int>) {
        precondition(range.lowerBound >= 0 && range.upperBound <= byteCount, "range outside the file")
        if let (file, start) = whole {
            return file.populate(start + range.lowerBound..<start + range.upperBound)
        }
        guard isFile, let base = unsafe base, !range.isEmpty else { return }
        let first = range.lowerBound / Self.pageSize * Self.pageSize
        unsafe ft_populate(base + first, range.upperBound - first)
    }
}
