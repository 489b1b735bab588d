"""Read scattered runs of a file straight into place: one preadv per span, gaps land in a scrap (TR-44)."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.errno cimport EAGAIN, EINTR, ENOSYS, EOPNOTSUPP, errno
from libc.stdint cimport int64_t, uint8_t

from native.bmff.errors import BoxError

cdef extern from *:
    """
    #ifndef _GNU_SOURCE
    #define _GNU_SOURCE
    #endif
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
    ssize_t preadv2(int fd, const iovec* iov, int count, int64_t offset, int flags) nogil
    int RWF_NOWAIT
    int SCRAP_BYTES
    char[] headwater_scrap

cdef enum:
    PIECES = 512  # below IOV_MAX
    NEAR_BYTES = 4096  # in memory, a longer gap costs more to copy than to ask around


cdef int _span(int fd, iovec* iov, int pieces, int64_t offset, int64_t want, bint wait) except -1:
    """One read of a whole span; False = it would wait for the disk."""
    cdef ssize_t got
    while True:
        with nogil:
            got = preadv2(fd, iov, pieces, offset, 0 if wait else RWF_NOWAIT)
        if got == want:
            return True
        if got < 0 and errno == EINTR:
            continue
        if not wait and (got >= 0 or errno in (EAGAIN, EOPNOTSUPP, ENOSYS)):
            return False
        if got < 0:
            raise OSError(errno, "cannot read media")
        raise BoxError("truncated", offset + got, "the file ends inside a sample")


def read_runs(
    int fd,
    bytes out not None,
    Py_ssize_t at,
    const int64_t[::1] starts not None,
    const int64_t[::1] lengths not None,
    bint wait=True,
):
    cdef iovec[PIECES] iov
    cdef int pieces = 0
    cdef Py_ssize_t i = 0, runs = starts.shape[0], size = PyBytes_GET_SIZE(out)
    cdef int64_t offset = 0, end = 0, gap
    cdef char* target = PyBytes_AS_STRING(out)
    cdef int64_t farthest = 0x7FFFFFFFFFFFFFFF, near = SCRAP_BYTES if wait else NEAR_BYTES
    if lengths.shape[0] != runs:
        raise BoxError("bad_table", 0, "as many starts as lengths")
    while i < runs:
        if starts[i] < 0 or lengths[i] < 0 or at < 0 or lengths[i] > size - at:
            raise BoxError("bad_table", i, "a run does not fit in the segment")
        if starts[i] > farthest - lengths[i]:
            raise BoxError("offset_out_of_file", i, "a run passes the end of every file")
        gap = starts[i] - end
        if pieces and (gap < 0 or gap > near or pieces > PIECES - 2):
            if not _span(fd, iov, pieces, offset, end - offset, wait):
                return False
            pieces = 0
        if pieces == 0:
            offset = starts[i]
        elif gap:
            iov[pieces].iov_base = headwater_scrap
            iov[pieces].iov_len = <size_t>gap
            pieces += 1
        iov[pieces].iov_base = target + at
        iov[pieces].iov_len = <size_t>lengths[i]
        pieces += 1
        at += <Py_ssize_t>lengths[i]
        end = starts[i] + lengths[i]
        i += 1
    if pieces and not _span(fd, iov, pieces, offset, end - offset, wait):
        return False
    if at != size:
        raise BoxError("bad_table", at, f"{size - at} bytes of the segment are in no run")
    return True
