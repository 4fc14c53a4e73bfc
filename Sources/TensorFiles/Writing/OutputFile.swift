internal import CSystem
import Glibc

/// A file being written: system calls, with their errors in our words.
@safe final class OutputFile {
    let path: String
    private let descriptor: Int32

    /// Opens for reading and writing; creates the file when it is not there.
    init(path: String) throws(TensorFileError) {
        let descriptor = unsafe open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o666)
        guard descriptor >= 0 else { throw .cannotWrite(file: path, reason: SystemReason.last) }
        self.path = path
        self.descriptor = descriptor
    }

    /// Creates a file that has no name in `folder` and goes when nobody uses it any more.
    init(scratchIn folder: String) throws(TensorFileError) {
        var template = Array(FileSystem.join(folder, "foretoken-XXXXXX").utf8CString)
        let descriptor = unsafe mkstemp(&template)
        guard descriptor >= 0 else { throw .cannotWrite(file: folder, reason: SystemReason.last) }
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        FileSystem.remove(path)
        self.descriptor = descriptor
    }

    /// The file's bytes, as a file called `name` in messages.
    func mapped(name: String) throws(TensorFileError) -> MappedFile {
        try MappedFile(descriptor: descriptor, path: name)
    }

    deinit { close(descriptor) }

    var byteCount: Int {
        var status = stat()
        return unsafe fstat(descriptor, &status) == 0 ? Int(status.st_size) : 0
    }

    /// Gives the file exactly `byteCount` bytes and reserves the disk space for them.
    func reserve(_ byteCount: Int) throws(TensorFileError) {
        guard ftruncate(descriptor, byteCount) == 0 else { throw failure(needed: byteCount) }
        guard byteCount > 0 else { return }
        // File systems that cannot reserve say so; only a full disk is an error here.
        let number = ft_reserve(descriptor, Int64(byteCount))
        if number == ENOSPC || number == EDQUOT || number == EFBIG { throw failure(number, needed: byteCount) }
    }

    func write(_ bytes: RawSpan, at offset: Int) throws(TensorFileError) {
        try unsafe bytes.withUnsafeBytes { (buffer) throws(TensorFileError) in
            var done = 0
            while done < buffer.count {
                let count = unsafe pwrite(
                    descriptor, buffer.baseAddress! + done, min(buffer.count - done, 1 << 30), offset + done)
                if count < 0 {
                    if errno == EINTR { continue }
                    throw failure(needed: buffer.count - done)
                }
                done += count
            }
        }
    }

    func write(_ bytes: [UInt8], at offset: Int) throws(TensorFileError) {
        try unsafe write(bytes.span.bytes, at: offset)
    }

    /// Starts writing a range to the disk without waiting, so that `synchronize` finds little left to do.
    func startWriteback(_ range: Range<Int>) {
        ft_start_writeback(descriptor, Int64(range.lowerBound), Int64(range.count))
    }

    func truncate(_ byteCount: Int) throws(TensorFileError) {
        guard ftruncate(descriptor, byteCount) == 0 else { throw failure(needed: 0) }
    }

    /// Waits until the bytes are on the disk.
    func synchronize() throws(TensorFileError) {
        guard fsync(descriptor) == 0 else { throw failure(needed: 0) }
    }

    /// Claims the file for this process; false when another one holds it, or when it was removed meanwhile.
    ///
    /// A child that this process is starting holds a copy of every lock until it runs its own program, so a lock
    /// given back a moment ago may need another moment.
    func lock() -> Bool {
        var attempts = 100
        while flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
            attempts -= 1
            guard attempts > 0, errno == EWOULDBLOCK || errno == EINTR else { return false }
            usleep(10_000)
        }
        var (mine, named) = (stat(), stat())
        return unsafe fstat(descriptor, &mine) == 0 && stat(path, &named) == 0 && mine.st_ino == named.st_ino
            && mine.st_dev == named.st_dev
    }

    private func failure(_ number: Int32 = errno, needed: Int) -> TensorFileError {
        guard number == ENOSPC || number == EDQUOT else {
            return .cannotWrite(file: path, reason: SystemReason.text(number))
        }
        return .noSpace(file: path, needed: needed, available: FileSystem.freeBytes(path))
    }
}

extension FileSystem {
    /// Bytes that may still be written to the disk that holds `path`.
    static func freeBytes(_ path: String) -> Int {
        var status = statvfs()
        guard unsafe statvfs(path, &status) == 0 else { return 0 }
        let (bytes, overflow) = Int(clamping: status.f_bavail).multipliedReportingOverflow(by: Int(status.f_frsize))
        return overflow ? Int.max : bytes
    }

    /// Where scratch files go.
    static var temporaryFolder: String {
        guard let value = unsafe getenv("TMPDIR") else { return "/tmp" }
        let folder = unsafe String(cString: value)
        return folder.isEmpty ? "/tmp" : folder
    }

    static func rename(_ source: String, to target: String) throws(TensorFileError) {
        guard unsafe Glibc.rename(source, target) == 0 else {
            throw .cannotWrite(file: target, reason: SystemReason.last)
        }
    }

    static func remove(_ path: String) { _ = unsafe unlink(path) }

    /// Makes renames in a folder last through a power cut.
    static func synchronize(folder: String) {
        let descriptor = unsafe open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        fsync(descriptor)
        close(descriptor)
    }

    static func createFolder(_ path: String) throws(TensorFileError) {
        guard kind(of: path) == nil else { return }
        let parent = folder(of: path)
        if kind(of: parent) == nil, parent != path { try createFolder(parent) }
        guard unsafe mkdir(path, 0o777) == 0 || errno == EEXIST else {
            throw .cannotWrite(file: path, reason: SystemReason.last)
        }
    }
}
