# cython: boundscheck=False, wraparound=False
"""Read scattered runs of a file straight into place: one preadv per span, gaps land in a scrap (TR-44)."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.errno cimport EAGAIN, EINTR, ENOSYS, EOPNOTSUPP, errno
from libc.stdint cimport int64_t, uint64_t

from native.bmff.errors import BoxError

cdef extern from *:
    """
    #ifndef _GNU_SOURCE
    #define _GNU_SOURCE
    #endif
    #include <sys/stat.h>
    #include <sys/uio.h>
    #ifndef RWF_NOWAIT
    #define RWF_NOWAIT 8
    #endif
    #define SCRAP_BYTES 65536
    static char headwater_scrap[SCRAP_BYTES];
    """
    cdef struct iovec:
        void* iov_base
        size_t iov_len
    ssize_t preadv2(int fd, const iovec* iov, int count, int64_t offset, int flags) noexcept nogil
    struct timespec:
        int64_t tv_sec
        int64_t tv_nsec
    struct status "stat":
        uint64_t st_size
        uint64_t st_ino
        timespec st_mtim
    int look "stat" (const char* path, status* found) noexcept nogil
    int RWF_NOWAIT
    int SCRAP_BYTES
    char[] headwater_scrap

cdef enum:
    PIECES = 512  # below IOV_MAX
    NEAR_BYTES = 4096  # in memory, a longer gap costs more to copy than to ask around


cdef struct Taken:
    int64_t got  # of the last read
    int64_t want
    int64_t offset
    int error


cdef bint _span(
    int fd, iovec* iov, int pieces, int64_t offset, int64_t want, bint wait, Taken* taken
) noexcept nogil:
    """One read of a whole span."""
    while True:
        taken.got = preadv2(fd, iov, pieces, offset, 0 if wait else RWF_NOWAIT)
        if taken.got == want:
            return True
        if taken.got >= 0 or errno != EINTR:
            taken.want, taken.offset = want, offset
            taken.error = errno if taken.got < 0 else 0
            return False


cdef bint _gather(
    int fd, char* target, const int64_t* starts, const int64_t* lengths, Py_ssize_t runs, bint wait, Taken* taken
) noexcept nogil:
    """All runs, which fit in `target`, span by span."""
    cdef iovec[PIECES] iov
    cdef int pieces = 0
    cdef Py_ssize_t i
    cdef int64_t offset = 0, end = 0, gap, near = SCRAP_BYTES if wait else NEAR_BYTES
    for i in range(runs):
        gap = starts[i] - end
        if pieces and (gap < 0 or gap > near or pieces > PIECES - 2):
            if not _span(fd, iov, pieces, offset, end - offset, wait, taken):
                return False
            pieces = 0
        if pieces == 0:
            offset = starts[i]
        elif gap:
            iov[pieces].iov_base = headwater_scrap
            iov[pieces].iov_len = <size_t>gap
            pieces += 1
        iov[pieces].iov_base = target
        iov[pieces].iov_len = <size_t>lengths[i]
        pieces += 1
        target += lengths[i]
        end = starts[i] + lengths[i]
    return pieces == 0 or _span(fd, iov, pieces, offset, end - offset, wait, taken)


def read_runs(
    int fd,
    bytes out not None,
    Py_ssize_t at,
    const int64_t[::1] starts not None,
    const int64_t[::1] lengths not None,
    bint wait=True,
):
    cdef Py_ssize_t i, runs = starts.shape[0], size = PyBytes_GET_SIZE(out)
    cdef char* target = PyBytes_AS_STRING(out) + at
    cdef int64_t farthest = 0x7FFFFFFFFFFFFFFF
    cdef Taken taken
    cdef bint done
    if lengths.shape[0] != runs:
        raise BoxError("bad_table", 0, "as many starts as lengths")
    if not 0 <= at <= size:
        raise BoxError("bad_table", at, "media begins outside of the segment")
    for i in range(runs):
        if starts[i] < 0 or lengths[i] < 0 or lengths[i] > size - at:
            raise BoxError("bad_table", i, "a run does not fit in the segment")
        if starts[i] > farthest - lengths[i]:
            raise BoxError("offset_out_of_file", i, "a run passes the end of every file")
        at += <Py_ssize_t>lengths[i]
    if at != size:
        raise BoxError("bad_table", at, f"{size - at} bytes of the segment are in no run")
    if runs == 0:
        return True
    with nogil:
        done = _gather(fd, target, &starts[0], &lengths[0], runs, wait, &taken)
    if done:
        return True
    if not wait and (taken.got >= 0 or taken.error in (EAGAIN, EOPNOTSUPP, ENOSYS)):
        return False
    if taken.got < 0:
        raise OSError(taken.error, "cannot read media")
    raise BoxError("truncated", taken.offset + taken.got, "the file ends inside a sample")


cdef bint at_hand(
    int fd, char* target, const int64_t* starts, const int64_t* lengths, Py_ssize_t runs
) noexcept nogil:
    cdef Taken taken
    return _gather(fd, target, starts, lengths, runs, False, &taken)


cdef bint is_same(const char* path, uint64_t size, int64_t mtime_ns, uint64_t inode) noexcept nogil:
    cdef status found
    return (
        not look(path, &found) and found.st_size == size and found.st_ino == inode
        and found.st_mtim.tv_sec * 1000000000 + found.st_mtim.tv_nsec == mtime_ns
    )


def same_file(bytes path not None, uint64_t size, int64_t mtime_ns, uint64_t inode):
    cdef const char* name = PyBytes_AS_STRING(path)
    cdef bint same
    with nogil:
        same = is_same(name, size, mtime_ns, inode)
    return same
