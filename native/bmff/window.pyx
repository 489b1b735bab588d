# cython: auto_pickle=False, boundscheck=False, wraparound=False
"""Many short runs of a file at one look: copied from its pages in memory, none asked for (TR-44).

Theory of operation
    Sound that is interleaved by frame lies in a hundred places of some hundred bytes, and a read
    each costs more than all that it brings. The file is mapped instead. mincore says beforehand
    whether a disk would be waited for; a file that is cut short meanwhile raises SIGBUS, which ends
    the copy and nothing else: whoever handled that signal before still gets all others.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.errno cimport errno
from libc.stdint cimport int64_t

from native.bmff.errors import BoxError

cdef extern from *:
    """
    #ifndef _GNU_SOURCE
    #define _GNU_SOURCE
    #endif
    #include <setjmp.h>
    #include <signal.h>
    #include <stdint.h>
    #include <string.h>
    #include <sys/mman.h>
    #include <unistd.h>

    static __thread sigjmp_buf headwater_out;
    static __thread volatile sig_atomic_t headwater_copying;
    static struct sigaction headwater_before;

    static void headwater_bus(int number, siginfo_t* info, void* context) {
        (void)number; (void)info; (void)context;
        if (headwater_copying)
            siglongjmp(headwater_out, 1);
        sigaction(SIGBUS, &headwater_before, NULL); /* the access is made again, under the other */
    }

    static int headwater_watch(void) {
        struct sigaction action;
        memset(&action, 0, sizeof action);
        action.sa_sigaction = headwater_bus;
        action.sa_flags = SA_SIGINFO | SA_NODEFER;
        return sigaction(SIGBUS, &action, &headwater_before);
    }

    static int headwater_copy(
        char* to, const char* base, const int64_t* starts, const int64_t* lengths, Py_ssize_t runs
    ) {
        Py_ssize_t i;
        if (sigsetjmp(headwater_out, 0)) {
            headwater_copying = 0;
            return 0;
        }
        headwater_copying = 1;
        for (i = 0; i < runs; i++) {
            memcpy(to, base + starts[i], (size_t)lengths[i]);
            to += lengths[i];
        }
        headwater_copying = 0;
        return 1;
    }
    """
    int headwater_watch() noexcept
    bint headwater_copy(
        char* to, const char* base, const int64_t* starts, const int64_t* lengths, Py_ssize_t runs
    ) noexcept nogil
    void* mmap(void* at, size_t size, int protection, int flags, int fd, int64_t offset) noexcept nogil
    int munmap(void* at, size_t size) noexcept nogil
    int mincore(void* at, size_t size, unsigned char* pages) noexcept nogil
    long sysconf(int name) noexcept nogil
    int PROT_READ, MAP_SHARED, _SC_PAGESIZE
    void* MAP_FAILED

cdef enum:
    PAGES = 4096  # of the stretch that a look may cover: 16 MB

cdef int64_t page_bytes = sysconf(_SC_PAGESIZE)

if headwater_watch():
    raise OSError(errno, "SIGBUS cannot be watched")


@cython.final
cdef class Window:
    def __cinit__(self, int fd, int64_t size):
        self.base = NULL
        self.size = size
        if size <= 0:
            raise ValueError("an empty file has no window")
        cdef void* base = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0)
        if base == MAP_FAILED:
            raise OSError(errno, "cannot map media")
        self.base = <char*>base

    def __dealloc__(self):
        if self.base != NULL:
            munmap(self.base, self.size)

    def take(
        self,
        bytes out not None,
        Py_ssize_t at,
        const int64_t[::1] starts not None,
        const int64_t[::1] lengths not None,
    ):
        cdef Py_ssize_t i, runs = starts.shape[0], size = PyBytes_GET_SIZE(out)
        cdef char* target = PyBytes_AS_STRING(out) + at
        cdef bint taken
        if lengths.shape[0] != runs or not 0 <= at <= size:
            raise BoxError("bad_table", 0, "runs that fill no segment")
        for i in range(runs):
            if starts[i] < 0 or lengths[i] < 0 or lengths[i] > size - at:
                raise BoxError("bad_table", i, "a run does not fit in the segment")
            if starts[i] > self.size - lengths[i]:
                raise BoxError("truncated", self.size, "the file ends inside a sample")
            at += <Py_ssize_t>lengths[i]
        if at != size:
            raise BoxError("bad_table", at, f"{size - at} bytes of the segment are in no run")
        if runs == 0:
            return True
        with nogil:
            taken = self.copy(target, &starts[0], &lengths[0], runs)
        return taken

    cdef bint copy(
        self, char* target, const int64_t* starts, const int64_t* lengths, Py_ssize_t runs
    ) noexcept nogil:
        """Runs inside of the file, at least one, to where there is room for them; False when some
        of it is not in memory.
        """
        return self._at_hand(starts, lengths, runs) and headwater_copy(
            target, self.base, starts, lengths, runs
        )

    cdef bint _at_hand(self, const int64_t* starts, const int64_t* lengths, Py_ssize_t runs) noexcept nogil:
        """Whether all pages of the runs are in memory."""
        cdef unsigned char[PAGES] pages
        cdef int64_t low = starts[0], high = 0, first, page
        cdef Py_ssize_t i
        for i in range(runs):
            low = min(low, starts[i])
            high = max(high, starts[i] + lengths[i])
        first = low // page_bytes
        if high <= low:
            return True
        if (high - 1) // page_bytes - first >= PAGES:
            return False
        if mincore(self.base + first * page_bytes, high - first * page_bytes, pages):
            return False
        for i in range(runs):
            page = starts[i] // page_bytes - first
            while lengths[i] and page <= (starts[i] + lengths[i] - 1) // page_bytes - first:
                if not pages[page] & 1:
                    return False
                page += 1
        return True
